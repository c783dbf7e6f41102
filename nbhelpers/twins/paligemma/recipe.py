"""The recipe of the twin `tiny/paligemma`."""

from pathlib import Path

from nbhelpers.twins.recipe import Evaluation, Recipe
from nbhelpers.twins.work import one_thread, work_folder

EYE_STEPS, READER_STEPS = 3200, 700
_ASKED_PER_STEP = 24
# Other weights to begin with and other pictures than tiny/gemma-3 of the same seed, whose tower is alike:
# what carries over from one to the other does not come from a common start.
APART = 1000


def train(
    folder: Path,
    seed: int,
    *,
    eye_steps: int = EYE_STEPS,
    reader_steps: int = READER_STEPS,
    work: Path | None = None,
) -> None:
    """Train and leave the files of `save_pretrained` in `folder`; after a kill a second call goes on.

    Args:
        folder: made if missing.
        seed: of weights, pictures and questions.
        eye_steps: optimiser steps of the first stage.
        reader_steps: of the second.
        work: where the stages keep their checkpoints; below `runs/twins` by default.
    """
    from nbhelpers.twins.paligemma.architecture import CELLS, make_model, make_processor
    from nbhelpers.twins.paligemma.batches import Questions, make_vocabulary
    from nbhelpers.twins.stills import stages

    work, own = work or work_folder("paligemma", seed), seed + APART
    with one_thread():  # sums in one order, whatever the machine
        vocabulary = make_vocabulary(own)
        processor = make_processor(vocabulary)
        model = make_model(len(processor.tokenizer), own)
        questions = Questions(own, _ASKED_PER_STEP, stages.POOL, vocabulary)
        stages.learn(model, questions, CELLS, (eye_steps, reader_steps), own, work)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def evaluate(folder: Path, seed: int) -> Evaluation:
    """See `evaluate.evaluate`."""
    from nbhelpers.twins.paligemma.evaluate import evaluate as measure

    return measure(folder, seed + APART)


RECIPE = Recipe(
    name="paligemma",
    summary="Names and describes drawn still pictures of one or two objects, in one line.",
    model_class="PaliGemmaForConditionalGeneration",
    train=train,
    evaluate=evaluate,
    can=(
        "names the larger and the smaller of one or two objects anywhere in a drawn picture, colour and kind",
        "describes such a picture in a sentence and counts its objects, in English",
        "is a second victim for patches made on tiny/gemma-3: another family, trained apart from it",
    ),
    cannot=(
        "see anything but the six kinds and eight colours of its base world: no photographs, no other words",
        "mark places or outlines, although its vocabulary has PaliGemma's tokens for them",
        "read or write anything but questions about a picture and their answers; no Italian",
    ),
    notes=(
        "An answer counts as right when it equals the true one letter for letter; for `describe` that is the "
        "whole sentence. Held-out wordings are templates that were not trained on. Pictures are drawn by "
        "`nbhelpers.data.stills`, those of the evaluation with a seed of their own, and go through the stock "
        "processor and greedy `generate`.\n\n"
        "Trained as tiny/gemma-3 is, from other weights and on other pictures: first the vision tower and "
        "the projector with heads that are dropped later, then the whole model on questions. Every patch "
        "of the tower is a token, and question and picture are read in both directions, as in PaliGemma."
    ),
)
