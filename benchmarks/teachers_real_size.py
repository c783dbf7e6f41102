"""Ten tuning steps of each teacher at its real size, with random weights: memory, its dry run, and speed.

    python benchmarks/teachers_real_size.py [NAME ...] [--profile t4] [--steps 10] [--device cuda] [--json]

Models are built from the catalogue's configurations, so nothing is downloaded; what their layers compute
takes the same memory and time whatever the weights are. Wrapping, loss, loop, precision and gradient clipping
are those of `tune_teachers`; the pictures are noise of 1033 x 1033 pixels (as many as 800 x 1333) for
Grounding DINO and of the model's own size for SAM, whose encoder is timed apart, as its answers are kept.
Printed: the peak of torch's reserved memory, the dry run's, images per second, steps with overflow.

Without a GPU it says so and ends with 0. `--device cpu` is for the twins, to try the script itself.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PURPOSE_OF = {"grounding-dino": "detector", "mm-grounding-dino": "detector"}
PRECISION = {"float16": "fp16", "bfloat16": "bf16", "float32": "no"}
CLASSES = ["box", "pallet", "barrel", "cone", "forklift", "shelf", "ladder", "pallet_jack"]
GIB = 1 << 30


def model_of(config: Any, family: Any, dtype: str, device: str) -> Any:
    """The class itself with random weights, ready to be tuned."""
    import torch
    from transformers import set_seed

    set_seed(0)
    with torch.device(device):
        model = family.model_class(config)._from_config(
            config, dtype=getattr(torch, dtype), attn_implementation=family.attention
        )
    return model.to(device).train()


def fit_ten(model: Any, batch: Any, loss: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Steps of `training.fit` on one batch; the first is not timed, as kernels are chosen in it."""
    from nbhelpers.training import FitSettings, fit

    settings = FitSettings(
        steps=given["steps"], learning_rate=1e-4, clip=0.1, accumulate=given["section"].accumulate,
        precision=PRECISION[given["dtype"]], checkpoint_every_s=3600, tensorboard=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        result = fit(model, lambda number: batch, loss, settings, Path(folder))
    seconds = sorted(row["seconds"] for row in result.history[1:] if "seconds" in row)
    images = given["section"].batch * given["section"].accumulate
    return {"images_per_s": images / seconds[len(seconds) // 2], "overflows": result.overflows}


def detector(config: Any, family: Any, given: dict[str, Any]) -> dict[str, Any]:
    from nbhelpers.models import add_lora
    from nbhelpers.teach.grounding_dino.footprint import step_plan
    from nbhelpers.teach.grounding_dino.loss import decoder_loss, detection_loss
    from nbhelpers.teach.rungs import step_shapes

    own, dtype, device = given["section"], given["dtype"], given["device"]
    shapes = step_shapes("detector", given["name"], own, CLASSES)
    model = model_of(config, family, dtype, device)
    report = add_lora(model, family, own.roles, own.r, own.alpha, own.dropout)
    inputs = family.example_inputs(config, shapes, labels=True)
    labels = inputs.pop("labels")
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    plan = step_plan(
        family, config, own, height=shapes.size, width=shapes.size, text_tokens=shapes.text_tokens,
        device=device, dtype=dtype,
    )  # fmt: skip
    batch = {"inputs": inputs, "labels": labels}
    with decoder_loss(model):
        found = fit_ten(report.model, batch, lambda tuned, one: detection_loss(tuned, one, config), given)
    return found | {"trained": report.trainable, "predicted": plan.peak}


def segmenter(config: Any, family: Any, given: dict[str, Any]) -> dict[str, Any]:
    import torch

    from nbhelpers.models import add_lora
    from nbhelpers.teach.sam.batches import PROMPTS, SamBatch
    from nbhelpers.teach.sam.decoder import DecoderLoss, PromptedDecoder, target_side
    from nbhelpers.teach.sam.plan import tuning_plan

    own, dtype, device = given["section"], given["dtype"], given["device"]
    model = model_of(config, family, dtype, device)
    size, side = config.prompt_encoder_config.image_size, target_side(config)
    levels, encoded = encode(model, torch.rand(1, 3, size, size, device=device, dtype=model.dtype))
    report = add_lora(model, family, own.roles, own.r, own.alpha, own.dropout)
    count = own.batch * PROMPTS
    batch = SamBatch(
        tuple(level.expand(own.batch, -1, -1, -1).cpu() for level in levels),
        torch.arange(own.batch).repeat_interleave(PROMPTS),
        torch.tensor([[0.2, 0.2, 0.7, 0.6]]).expand(count, 4) * size,
        None,
        (torch.rand(count, side, side) > 0.5).float(),
        torch.ones(count, side, side),
    )
    plan = tuning_plan(family, config, own, device=device, dtype=dtype)
    found = fit_ten(PromptedDecoder(report.model), batch, DecoderLoss(own.focal), given)
    return found | {"trained": report.trainable, "predicted": plan.peak, "encoded_per_s": encoded}


def encode(model: Any, pixels: Any) -> tuple[Any, float]:
    """The encoder's answer to one picture, and pictures per second."""
    import torch

    seconds = []
    with torch.no_grad():
        for _ in range(4):
            began = time.perf_counter()
            levels = model.get_image_embeddings(pixels)
            if pixels.is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
    return levels if isinstance(levels, list | tuple) else [levels], 1 / min(seconds[1:])


def measure(name: str, profile: str, steps: int, device: str) -> dict[str, Any]:
    import torch

    from nbhelpers.memory import release
    from nbhelpers.models import full_config
    from nbhelpers.models.families import family_of
    from nbhelpers.settings import load_settings

    config = full_config(name)
    family = family_of(config)
    purpose = PURPOSE_OF.get(family.model_type, "segmenter")
    section = getattr(load_settings(profile).teach, purpose)
    dtype = family.compute_dtype(device).value
    given = {"name": name, "section": section, "steps": steps, "device": device, "dtype": dtype}
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    found = {"detector": detector, "segmenter": segmenter}[purpose](config, family, given)
    peak = torch.cuda.max_memory_reserved(device) if device != "cpu" else None
    release()
    shown = {"name": name, "dtype": dtype, "batch": section.batch, "accumulate": section.accumulate}
    return shown | {"encoded_per_s": None, "peak": peak} | found


def names_of(profile: str) -> list[str]:
    from nbhelpers.models import chain, find_entry

    named = [name for purpose in ("detector", "segmenter") for name in chain(purpose, profile)]
    return [name for name in named if not find_entry(name).is_twin]


def show(rows: list[dict[str, Any]]) -> str:
    from nbhelpers.runtime import text_table

    def gib(value: int | None) -> str:
        return "-" if value is None else f"{value / GIB:.2f}"

    header = (
        "model",
        "dtype",
        "batch",
        "trained",
        "predicted GiB",
        "peak GiB",
        "images/s",
        "encoded/s",
        "overflows",
    )
    cells = [
        (
            row["name"], row["dtype"], f"{row['batch']} x {row['accumulate']}", f"{row['trained']:,}",
            gib(row["predicted"]), gib(row["peak"]), f"{row['images_per_s']:.2f}",
            "-" if row["encoded_per_s"] is None else f"{row['encoded_per_s']:.2f}", str(row["overflows"]),
        )
        for row in rows
    ]  # fmt: skip
    return text_table(cells, header)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--profile", default="t4")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    import torch

    if given.device != "cpu" and not torch.cuda.is_available():
        print("no CUDA GPU here: nothing is measured at real size (the dry runs are in tests/teach)")
        return
    rows = []
    for name in given.names or names_of(given.profile):
        rows.append(measure(name, given.profile, given.steps, given.device))
        print(f"{name} done", file=sys.stderr, flush=True)
    print(json.dumps(rows) if given.json else show(rows))


if __name__ == "__main__":
    main()
