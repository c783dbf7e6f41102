"""Tuning on video against plain HF Trainer: the same model, clips, batches, adapter and steps in one run.

    python benchmarks/video_tuning.py [--clips N] [--epochs N] [--json]
    python benchmarks/video_tuning.py --random qwen2.5-vl-3b [--steps N] [--device cuda] [--layers N] [--json]

First form: the twin, LoRA on its language model, clips of drawn MP4 files. The plain side is what one writes
with transformers alone: a data set that decodes a clip, a collator that calls the stock processor, `Trainer`
with the class's own loss. Ours is `nbhelpers.video`: clips processed once, features of the frozen vision
tower kept, logits at answers. Each side runs in a process of its own, on one thread; epochs are timed by the
processor's time, which other programs do not lengthen, and by the clock.

Second form: random weights at real size (`--layers` cuts it down to what a small machine holds) and inputs
that are ready, so only the steps differ. The plain side is again `Trainer`; peak memory is torch's on a GPU,
the growth of the process elsewhere.

Exit code 1 where ours is not twice as fast from the second epoch on (first form), needs more memory, or a
loss differs by more than 1e-3.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

RATIO, LOSS = 2.0, 1e-3
SPLIT = "train:1"


class Timer:
    """Processor and clock seconds of each step, from outside: the loop calls it as each begins.

    `Trainer` makes its first batch before its first step begins, so one batch is not counted.
    """

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def mark(self) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))

    def epochs(self, per_epoch: int) -> list[list[float]]:
        ends = self.marks[::per_epoch]
        return [[b - a for a, b in zip(first, second, strict=True)] for first, second in pairwise(ends)]


def adapted(loaded: Any) -> Any:
    from nbhelpers.models import add_lora

    torch.manual_seed(0)
    model = add_lora(loaded.model, loaded.family, ("text.attention",), r=16, alpha=32, dropout=0.0).model
    return model.train()


def trainer_class(order: list[int]) -> Any:
    """`Trainer`, taking the clips in a given order: what is compared must see the same batches."""
    from transformers import Trainer

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return order

    return InOrder


def plain(
    loaded: Any, data: Any, collate: Callable, order: list[int], batch: int, settings: Any, folder: Path
) -> dict:
    """One training by `Trainer` with the same optimiser and schedule."""
    from transformers import PrinterCallback, TrainerCallback, TrainingArguments

    from nbhelpers.memory import watch
    from nbhelpers.training.schedules import make_scheduler

    model, timer = adapted(loaded), Timer()

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            timer.mark()

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0, betas=settings.betas)
    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=batch, max_steps=settings.steps, logging_steps=1,
        max_grad_norm=settings.clip, report_to=[], save_strategy="no", disable_tqdm=True, seed=0,
        use_cpu=loaded.device == "cpu", remove_unused_columns=False, dataloader_num_workers=0,
        fp16=loaded.device != "cpu" and loaded.dtype == torch.float16,
        bf16=loaded.device != "cpu" and loaded.dtype == torch.bfloat16,
    )  # fmt: skip
    trainer = trainer_class(order)(
        model=model, args=arguments, train_dataset=data, data_collator=collate,
        optimizers=(optimizer, make_scheduler(optimizer, settings)), callbacks=[Clock()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    with watch(0.01) as seen:
        trainer.train()
        timer.mark()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return {"losses": losses, "marks": timer, "peak": peak(loaded, seen)}


def ours(loaded: Any, batches: Callable[[int], Any], settings: Any, folder: Path, kept: bool = True) -> dict:
    """One training by `fit` with `answer_loss`, features handed over."""
    from contextlib import nullcontext

    from nbhelpers.memory import watch
    from nbhelpers.training import fit
    from nbhelpers.video.batches import answer_loss
    from nbhelpers.video.features import features_for_pixels

    model, timer = adapted(loaded), Timer()

    def timed(number: int) -> Any:
        timer.mark()
        return batches(number)

    with features_for_pixels(model) if kept else nullcontext(), watch(0.01) as seen:
        done = fit(model, timed, answer_loss, settings, folder)
        timer.mark()
    return {"losses": done.series()[1], "marks": timer, "peak": peak(loaded, seen)}


def peak(loaded: Any, seen: Any) -> int:
    return sum(seen.gpu_peak_bytes.values()) if loaded.device != "cpu" else seen.grown_bytes


def fit_settings(steps: int, precision: str = "no") -> Any:
    from nbhelpers.training import FitSettings

    return FitSettings(
        steps=steps, learning_rate=1e-3, weight_decay=0.0, clip=1.0, precision=precision,
        checkpoint_every_s=600, tensorboard=False,
    )  # fmt: skip


# --- the twin on files -----------------------------------------------------------------------------------
def twin_side(side: str, folder: Path, clips: int, epochs: int, batch: int) -> dict:
    from nbhelpers.data.clips import build_clips
    from nbhelpers.data.videos import load_videos
    from nbhelpers.models import load
    from nbhelpers.video import sample_of
    from nbhelpers.video.batches import epoch_plan

    torch.set_num_threads(1)
    loaded = load("tiny/qwen2.5-vl", task="tune", device="cpu", gradient_checkpointing=False)
    samples = [sample_of(clip) for clip in build_clips(load_videos(folder / "videos")).clips[:clips]]
    samples = samples[: len(samples) // batch * batch]  # whole batches: both sides then hold the same clips
    per_epoch = -(-len(samples) // batch)
    order = [part for epoch in range(epochs) for part in epoch_plan(np.ones(len(samples)), batch, (0, epoch))]
    settings = fit_settings(epochs * per_epoch)
    run = twin_plain if side == "plain" else twin_ours
    found = run(loaded, samples, order, batch, settings, folder / side)
    timer = found.pop("marks")
    return found | {"epochs": timer.epochs(per_epoch), "clips": len(samples), "steps": settings.steps}


def twin_plain(loaded: Any, samples: list, order: list, batch: int, settings: Any, folder: Path) -> dict:
    def collate(chosen: list) -> dict:
        return stock_batch(loaded, chosen)

    flat = [int(clip) for part in order for clip in part]
    return plain(loaded, samples, collate, flat, batch, settings, folder)


def stock_batch(loaded: Any, samples: list) -> dict:
    """Decode, render question and answer, call the stock processor, mask the question: the usual collator."""
    from nbhelpers.video.answers import as_seen
    from nbhelpers.video.conversation import answer_text, conversation, render, telling_of, video_metadata

    processor = loaded.processor
    told = [telling_of("qwen2_5_vl", one) for one in samples]
    asked = [render(processor, conversation(s, t), True) for s, t in zip(samples, told, strict=True)]
    seen = [as_seen(one.answer, one.times_s, one.duration_s) for one in samples]
    said = [answer_text(processor, s, t, a) for s, t, a in zip(samples, told, seen, strict=True)]
    inputs = processor(
        text=[q + a for q, a in zip(asked, said, strict=True)],
        videos=[one.frames() for one in samples],
        video_metadata=[
            video_metadata(s.times_s, s.duration_s, t) for s, t in zip(samples, told, strict=True)
        ],
        do_sample_frames=False, padding=True, padding_side="right", return_tensors="pt",
        add_special_tokens=False,
    )  # fmt: skip
    labels = torch.full_like(inputs["input_ids"], -100)
    for row, text in enumerate(said):
        length, end = (
            len(processor.tokenizer.encode(text, add_special_tokens=False)),
            int(inputs["attention_mask"][row].sum()),
        )
        labels[row, end - length : end] = inputs["input_ids"][row, end - length : end]
    return {name: value for name, value in inputs.items() if name != "video_metadata"} | {"labels": labels}


def twin_ours(loaded: Any, samples: list, order: list, batch: int, settings: Any, folder: Path) -> dict:
    from nbhelpers.training.tensor_cache import TensorCache
    from nbhelpers.video.examples import Examples, collate
    from nbhelpers.video.features import vision_digest

    began = time.process_time(), time.perf_counter()
    cache = TensorCache(folder / "kept", 4.0, vision_digest(loaded.model, loaded.processor))
    given = Examples(samples, loaded, cache, True).prepare("clips")
    prepared = [time.process_time() - began[0], time.perf_counter() - began[1]]
    pad = loaded.processor.tokenizer.pad_token_id

    def batch_of(number: int) -> dict:
        chosen = order[number]
        return collate([given.example(int(k)) for k in chosen], [given.pictures(int(k)) for k in chosen], pad)

    return ours(loaded, batch_of, settings, folder / "fit") | {"prepared": prepared}


# --- random weights at real size -------------------------------------------------------------------------
def random_side(
    side: str, name: str, steps: int, device: str, layers: int | None, frames: int, size: int
) -> dict:
    from types import SimpleNamespace

    from nbhelpers.memory import Shapes
    from nbhelpers.models import family_of, full_config
    from nbhelpers.video.features import clip_features
    from nbhelpers.video.plan import ANSWER_TOKENS

    config = full_config(name)
    family = family_of(config)
    if layers is not None:
        config.text_config.num_hidden_layers, config.vision_config.depth = layers, layers
        config.text_config.layer_types = ["full_attention"] * layers
        config.vision_config.fullatt_block_indexes = [layers - 1]
    dtype = getattr(torch, family.compute_dtype(device).value)
    torch.manual_seed(0)
    with torch.device(device):
        model = family.model_class(config)._from_config(config, dtype=dtype)
    model.config.text_config.use_cache = False
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()
    loaded = SimpleNamespace(model=model, family=family, device=device, dtype=dtype)
    inputs = family.example_inputs(config, Shapes(images=0, frames=frames, size=size, text_tokens=176))
    precision = {torch.float16: "fp16", torch.bfloat16: "bf16"}.get(dtype, "no") if device != "cpu" else "no"
    settings, tail = fit_settings(steps, precision), inputs["input_ids"][:, -ANSWER_TOKENS:]
    folder = Path(tempfile.mkdtemp())
    if side == "plain":
        labels = torch.full_like(inputs["input_ids"], -100)
        labels[:, -ANSWER_TOKENS:] = tail
        found = plain(
            loaded,
            [0] * steps,
            lambda _: inputs | {"labels": labels},
            list(range(steps)),
            1,
            settings,
            folder,
        )
    else:
        model.disable_input_require_grads()
        model.get_input_embeddings().register_forward_hook(lambda _, __, out: out.requires_grad_(True))
        fed = inputs | {"pixel_values_videos": clip_features(model, inputs).cpu(), "labels": tail.clone()}
        found = ours(loaded, lambda _: dict(fed), settings, folder)
    timer = found.pop("marks")
    skipped = timer.marks[1:]  # the first step allocates
    clock = (skipped[-1][1] - skipped[0][1]) / (len(skipped) - 1)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return found | {"steps_per_s": 1 / clock, "weights": weights, "tokens": inputs["input_ids"].shape[1]}


# --- both ------------------------------------------------------------------------------------------------
def in_process(function: Callable, *arguments: Any) -> dict:
    """Each side in a process of its own: neither finds the other's memory or warm caches."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def compare_twin(clips: int, epochs: int, batch: int) -> dict:
    from nbhelpers.data.videos import make_videos

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_videos(root / "videos", max(4, clips // 4), seed=1, jobs=1)
        sides = {side: in_process(twin_side, side, root, clips, epochs, batch) for side in ("plain", "ours")}
    later = {side: [sum(e[k] for e in found["epochs"][1:]) for k in (0, 1)] for side, found in sides.items()}
    ratio = [a / b for a, b in zip(later["plain"], later["ours"], strict=True)]
    return {"sides": sides, "ratio_processor": ratio[0], "ratio_clock": ratio[1]}


def judged(found: dict, twice: bool) -> dict:
    plain_side, our_side = found["sides"]["plain"], found["sides"]["ours"]
    pairs = zip(plain_side["losses"], our_side["losses"], strict=True)
    found["largest_loss_difference"] = max(abs(a - b) for a, b in pairs)
    found["peaks_mib"] = {side: one["peak"] / 2**20 for side, one in found["sides"].items()}
    good = found["largest_loss_difference"] <= LOSS and our_side["peak"] <= plain_side["peak"]
    found["ok"] = good and (not twice or found["ratio_processor"] >= RATIO)
    return found


def text(found: dict) -> str:
    lines = []
    for side, one in found["sides"].items():
        if "epochs" in one:
            epochs = ", ".join(f"{cpu:.2f} ({clock:.1f})" for cpu, clock in one["epochs"])
            ready = f", clips processed once in {one['prepared'][0]:.2f} s" if "prepared" in one else ""
            lines.append(
                f"{side:>5}: processor (clock) seconds per epoch of {one['clips']} clips {epochs}{ready}"
            )
        else:
            lines.append(f"{side:>5}: {one['steps_per_s']:.3f} steps a second, {one['tokens']} tokens")
    lines += [
        f"peak over the weights, MiB: {found['peaks_mib']}",
        f"largest difference of a loss: {found['largest_loss_difference']:.2e}",
    ]
    if "ratio_processor" in found:
        by = f"{found['ratio_processor']:.2f} times as fast ({found['ratio_clock']:.2f} by the clock)"
        lines.append(f"from the second epoch on: {by}")
    return "\n".join([*lines, "met" if found["ok"] else "NOT MET"])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--random", metavar="NAME")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.random:
        options = (given.random, given.steps, given.device, given.layers, given.frames, given.size)
        found = {"sides": {side: in_process(random_side, side, *options) for side in ("plain", "ours")}}
    else:
        found = compare_twin(given.clips, given.epochs, given.batch)
    found = judged(found, twice=not given.random)
    print(json.dumps(found, indent=2) if given.json else text(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
