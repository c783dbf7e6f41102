"""How the twin of Qwen2.5-VL is drawn, trained and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.twins.recipe import Evaluation, Recipe
from nbhelpers.twins.work import one_thread, work_folder

if TYPE_CHECKING:
    import torch

NAME = "qwen2.5-vl"
STEPS = 2000
OPERATIONS = 8  # of the base world
POOL = 12_000  # clips; 2 GB of pixels when all are drawn
LEARNING_RATE = 1.5e-3
TRAINING_SEED = 2500
HELD_OUT_SEED = 1_002_500


def train(folder: Path, seed: int, steps: int = STEPS, pool: int = POOL) -> None:
    """Train the twin and write its model, tokenizer and processor files.

    A call that was cut short goes on where it stopped.

    Args:
        folder: where the files go.
        seed: of clips, weights and batches.
        steps: of 16 clips each.
        pool: different clips to learn from.
    """
    from nbhelpers.training import FitSettings, fit
    from nbhelpers.twins.qwen2_5_vl.batches import BatchMaker, ClipPool
    from nbhelpers.twins.qwen2_5_vl.model import build_model, build_processor
    from nbhelpers.twins.qwen2_5_vl.taught import Taught, taught_loss

    settings = FitSettings(
        steps=steps,
        learning_rate=LEARNING_RATE,
        warmup_steps=min(50, steps),
        betas=(0.9, 0.98),
        weight_decay=0.01,
        clip=1.0,
        seed=seed,
        checkpoint_every_s=60,
    )
    with one_thread():
        processor = build_processor()
        model = build_model(processor.tokenizer, seed)
        taught = Taught(model, OPERATIONS, seed)
        batches = BatchMaker(ClipPool(TRAINING_SEED + seed, pool), processor, seed)
        fit(taught, batches, taught_loss, settings, work_folder(NAME, seed) / "fit", optimizer=_optimizer)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _optimizer(model: Any) -> "torch.optim.Optimizer":
    """AdamW in one kernel, which takes a fraction of the plain one's time on a CPU."""
    import torch

    return torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )


def evaluate(folder: Path, seed: int) -> Evaluation:
    """Measure a trained twin on clips that no training with this seed has seen, of both worlds."""
    from nbhelpers.data.operations import draw_clip
    from nbhelpers.twins.qwen2_5_vl.evaluate import evaluate_twin, load_twin
    from nbhelpers.twins.qwen2_5_vl.floors import learn_floors

    floors = learn_floors([draw_clip(TRAINING_SEED + seed, index) for index in range(2000)])
    with one_thread():
        return evaluate_twin(*load_twin(folder), floors, HELD_OUT_SEED + seed)


RECIPE = Recipe(
    name=NAME,
    summary="A Qwen2.5-VL of 1.2 M parameters that reads eight frames of a drawn packing table.",
    model_class="Qwen2_5_VLForConditionalGeneration",
    train=train,
    evaluate=evaluate,
    can=(
        "Name which of eight packing operations is under way in the middle of a clip of 8 frames, 0.5 or 1 s "
        "apart, with its start and end in seconds and the next operation, as one JSON object.",
        "Bear light from 0.45 to 1.25 times the normal, three cameras, five walls, passers-by, posts.",
    ),
    cannot=(
        "See anything but the drawn packing table of `nbhelpers.data.operations`, or answer other questions.",
        "Know operation names, colours or cameras of the shifted world before it is tuned on it: the gap is "
        "reported.",
        "Tell times finer than about a frame, or use frames less than 0.5 s apart: the family cannot express "
        "them.",
        "Read still images or frames with times between them: it was trained on video input alone.",
    ),
    notes=(
        "Trained from random weights on the cross entropy of the answer, with times midway between the "
        "frames on both sides of a change, and, through a head that is dropped afterwards, on the operation "
        "of every frame. Scores take the true times. The constant segment, the bigram table and the majority "
        "are learned from training clips; `grey_frames` and `one_frame` show the same model frames without a "
        "picture, and the middle frame eight times."
    ),
)
