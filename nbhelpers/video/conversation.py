"""From clips to what a model takes: messages, the stock processor, and the times told on the way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.data.operations import Answer, write_answer
from nbhelpers.errors import CheckFailed
from nbhelpers.video.samples import Pixels, VideoSample
from nbhelpers.video.timing import Telling, check_told, telling

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.models import Family

Messages = list[dict[str, Any]]
_MILLISECONDS = 1000  # frames are counted in these: any time can then be an index
# Inputs that are counted per clip and not per picture have the batch first.
_KEPT_OUT = ("video_metadata",)


def telling_of(model_type: str, sample: VideoSample) -> Telling:
    """How a family is shown a clip."""
    return telling(model_type, sample.times_s, sample.half_frame_s)


def conversation(sample: VideoSample, told: Telling, answer: Answer | None = None) -> Messages:
    """Messages for the chat template: the clip, the question and, to learn from, the answer.

    Args:
        sample: to be asked about.
        told: how its frames and their times are shown.
        answer: to be learned; None leaves it to the model.
    """
    content = _frames_in_words(told) if told.layout == "frames" else [{"type": "video", "video": "clip"}]
    content.append({"type": "text", "text": sample.question})
    messages: Messages = [{"role": "user", "content": content}]
    if answer is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": write_answer(answer)}]})
    return messages


def _frames_in_words(told: Telling) -> Messages:
    """Single pictures, each after its time."""
    parts: Messages = []
    for time in told.told_s:
        parts += [{"type": "text", "text": f"t = {time:.1f} s"}, {"type": "image", "image": "frame"}]
    return parts


def video_metadata(times_s: Sequence[float], duration_s: float, told: Telling) -> dict[str, Any]:
    """What the stock video processor is told of frames that are chosen already.

    Time stamps come from `frames_indices / fps`: counted in milliseconds, any time can be said. Seconds per
    grid come from the number of frames over the duration, so a grid is told its own spacing.
    """
    if told.layout == "stamps":
        indices = [round(time * _MILLISECONDS) for time in times_s]
        total = max(indices[-1] + 1, round(duration_s * _MILLISECONDS))
        return {
            "fps": _MILLISECONDS, "total_num_frames": total, "duration": duration_s, "frames_indices": indices
        }  # fmt: skip
    spacing = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    return {
        "fps": 1 / spacing, "total_num_frames": len(times_s), "duration": duration_s,
        "frames_indices": list(range(len(times_s))),
    }  # fmt: skip


def render(processor: Any, messages: Messages, generate: bool) -> str:
    """The messages as text, by the processor's own chat template."""
    text: str = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
    return text


def answer_text(processor: Any, sample: VideoSample, told: Telling, answer: Answer) -> str:
    """What follows the question in a rendered conversation: the answer and the end of the turn.

    Raises:
        CheckFailed: the template does not simply go on after the question.
    """
    messages = conversation(sample, told, answer)
    asked = render(processor, messages[:1], True)
    whole = render(processor, messages, False)
    if not whole.startswith(asked):
        raise CheckFailed(
            f"chat template of {type(processor).__name__}: a conversation with an answer does not begin "
            f"as the question alone does, so where the answer starts is unknown"
        )
    return whole.removeprefix(asked).rstrip("\n")


def model_inputs(
    processor: Any,
    family: "Family",
    samples: Sequence[VideoSample],
    frames: Sequence[Pixels],
) -> "dict[str, Tensor]":
    """Inputs for `generate`, made by the stock processor from questions; batches are padded on the left.

    Args:
        processor: of the model.
        family: of the model.
        samples: asked about; all of one layout, see `telling`.
        frames: of each, (N, H, W, 3) uint8 RGB.

    Returns:
        What the processor gives, without the metadata.

    Raises:
        CheckFailed: a told time is too far from the true one, or the layouts differ.
    """
    told = [telling_of(family.model_type, sample) for sample in samples]
    for sample, one in zip(samples, told, strict=True):
        check_told(one, sample.question, sample.times_s, sample.half_frame_s)
    if len({one.layout for one in told}) != 1:
        raise CheckFailed("clips that are shown in different ways cannot share a batch; ask them one by one")
    texts = [render(processor, conversation(s, t), True) for s, t in zip(samples, told, strict=True)]
    shown = _shown(samples, told, frames)
    # The template has written the beginning of the text already: a tokenizer would add a second one.
    inputs = processor(text=texts, padding=True, return_tensors="pt", add_special_tokens=False, **shown)
    return {name: value for name, value in inputs.items() if name not in _KEPT_OUT}


def _shown(
    samples: Sequence[VideoSample], told: Sequence[Telling], frames: Sequence[Pixels]
) -> dict[str, Any]:
    """Pictures or videos, as the processor takes them."""
    if told[0].layout == "frames":
        return {"images": [list(clip) for clip in frames]}
    metadata = [video_metadata(s.times_s, s.duration_s, t) for s, t in zip(samples, told, strict=True)]
    return {"videos": list(frames), "video_metadata": metadata, "do_sample_frames": False}
