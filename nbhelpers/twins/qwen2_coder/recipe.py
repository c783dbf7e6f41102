"""The recipe of the twin `tiny/qwen2.5-coder`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.twins.qwen2_coder.evaluate import evaluate
from nbhelpers.twins.recipe import Recipe
from nbhelpers.twins.work import one_thread, work_folder

if TYPE_CHECKING:
    from nbhelpers.training import FitSettings

NAME = "qwen2.5-coder"
# Two stretches, the learning rate falling to nothing in each (Loshchilov & Hutter 2017, warm restarts).
STEPS = (600, 900)
LEARNING_RATE = 3e-3


def train(
    folder: Path,
    seed: int,
    *,
    steps: Sequence[int] = STEPS,
    documents: int | None = None,
    work: Path | None = None,
) -> None:
    """Train and leave the files of `save_pretrained` in `folder`; after a kill a second call goes on.

    Args:
        folder: made if missing.
        seed: of weights, requests and their order.
        steps: optimiser steps of each stretch.
        documents: requests with programs drawn for each stretch; `batches.DOCUMENTS` by default.
        work: where checkpoints are kept; below `runs/twins` by default.
    """
    from nbhelpers.training import fit
    from nbhelpers.twins.qwen2_coder.batches import DOCUMENTS, BatchMaker
    from nbhelpers.twins.qwen2_coder.model import build_model
    from nbhelpers.twins.qwen2_coder.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    model = build_model(tokenizer, seed)
    work, documents = work or work_folder(NAME, seed), documents or DOCUMENTS
    with one_thread():
        for part, count in enumerate(steps):
            make = BatchMaker(tokenizer, seed, documents, part)
            place, data = work / f"stretch-{part + 1}", {"documents": documents}
            fit(model, make, answer_loss, _settings(seed, count), place, data=data)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def answer_loss(model: Any, batch: dict[str, Any]) -> Any:
    """Cross entropy of the answers' tokens."""
    return model(**batch).loss


def _settings(seed: int, steps: int) -> "FitSettings":
    from nbhelpers.training import FitSettings

    return FitSettings(
        steps=steps,
        learning_rate=LEARNING_RATE,
        warmup_steps=min(50, steps // 2),
        betas=(0.9, 0.98),
        checkpoint_every_s=120.0,
        seed=seed,
        tensorboard=False,
        log_every=25,
    )


RECIPE = Recipe(
    name=NAME,
    summary="Qwen2 coder of a million parameters: from a request in words to a small web service.",
    model_class="Qwen2ForCausalLM",
    train=train,
    evaluate=evaluate,
    can=(
        "Write one file of FastAPI or Flask for an entity with typed fields and any of five operations, "
        "with a health check, paths under /api or paging where asked for.",
        "Combine entities, fields and operations it never saw together.",
    ),
    cannot=(
        "Copy every field: about a quarter of the programs have a wrong field name or type somewhere.",
        "Use names it does not know: an entity or a field outside its grammar becomes one it knows.",
        "Understand requests of another form, several entities, relations or a database.",
        "Write anything but these services.",
    ),
)
