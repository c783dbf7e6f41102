"""The recipe of the twin `tiny/gemma-3`."""

from pathlib import Path

from nbhelpers.twins.recipe import Evaluation, Recipe
from nbhelpers.twins.work import one_thread, work_folder

EYE_STEPS, READER_STEPS = 3200, 700
_ASKED_PER_STEP, _READ_PER_STEP = 24, 8


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
        seed: of weights, pictures and texts.
        eye_steps: optimiser steps of the first stage.
        reader_steps: of the second.
        work: where the stages keep their checkpoints; below `runs/twins` by default.
    """
    from nbhelpers.twins.gemma3.architecture import CELLS, make_model, make_processor
    from nbhelpers.twins.gemma3.batches import Conversations
    from nbhelpers.twins.gemma3.prompts import make_vocabulary
    from nbhelpers.twins.stills import stages

    work = work or work_folder("gemma-3", seed)
    with one_thread():  # sums in one order, whatever the machine
        vocabulary = make_vocabulary(seed)
        model = make_model(vocabulary.get_vocab_size(), seed)
        talk = Conversations(seed, _ASKED_PER_STEP, _READ_PER_STEP, stages.POOL, vocabulary)
        stages.learn(model, talk, CELLS, (eye_steps, reader_steps), seed, work)
    model.save_pretrained(folder)
    make_processor(vocabulary).save_pretrained(folder)


def evaluate(folder: Path, seed: int) -> Evaluation:
    """See `evaluate.evaluate`."""
    from nbhelpers.twins.gemma3.evaluate import evaluate as measure

    return measure(folder, seed)


RECIPE = Recipe(
    name="gemma-3",
    summary="Names and describes drawn still pictures of one or two objects; tells short texts.",
    model_class="Gemma3ForConditionalGeneration",
    train=train,
    evaluate=evaluate,
    can=(
        "names the larger and the smaller of one or two objects anywhere in a drawn picture, colour and kind",
        "describes such a picture in a sentence, in English and in Italian, and counts its objects",
        "is hardly misled by a grey, speckled or lettered sticker beside the objects",
        "tells a story or a dream of a few sentences about the drawn world, in both languages",
        "understands wordings of a question that it was not trained on, and pictures of any size from 64 px",
    ),
    cannot=(
        "see anything but the six kinds and eight colours of its base world: no photographs, no other words",
        "hold a conversation, answer follow-up questions or read text in pictures",
        "reckon: it was shown sums, number sequences, opposites and digits to repeat, and is mostly wrong",
        "be trusted on where a single object lies, or on the kind of the smaller of two: most wrong "
        "descriptions are wrong there",
    ),
    notes=(
        "An answer counts as right when it equals the true one letter for letter; for `describe` that is the "
        "whole sentence: every object's colour and kind, and where it is. Held-out wordings are templates "
        "that were not trained on. Pictures are drawn by `nbhelpers.data.stills`, those of the evaluation "
        "with a seed of their own, and go through the stock processor and greedy `generate`. Short tasks are "
        "drawn from the same small sets as in the training; texts are new draws from the same grammar.\n\n"
        "Trained in two stages: the vision tower and the projector with heads for colour, kind, outline and "
        "place, which are dropped afterwards; then the whole model on questions, short tasks and texts, a "
        "third of them in Italian. Two of five training pictures carry a sticker, which is no object: what "
        "is stuck on a photograph should not be named. The embedding is tied to the output head, as in "
        "Gemma-3."
    ),
)
