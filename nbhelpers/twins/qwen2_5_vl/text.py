"""The twin's words: its tokenizer, its chat template, and conversations about clips."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.operations import OPERATION_WORLDS, SPACINGS_S, Answer, OperationClip, ask, write_answer
from nbhelpers.errors import CheckFailed
from nbhelpers.twins.vocabulary import train_bpe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 448
SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip

# The layout of Qwen2.5-VL's own template, without its system prompt and tools.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer, trained on questions and answers about every operation of every world."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(_corpus(), VOCABULARY, SPECIAL_TOKENS),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[*SPECIAL_TOKENS[1:2], *SPECIAL_TOKENS[3:]],
        model_max_length=1024,
        padding_side="left",  # what `generate` needs for batches
        clean_up_tokenization_spaces=False,
    )


def _corpus() -> Iterator[str]:
    names = sorted({one.name for world in OPERATION_WORLDS.values() for one in world.all_operations})
    for number, name in enumerate(names * 8):
        spacing = SPACINGS_S[number % len(SPACINGS_S)]
        yield f"user\n{ask([k * spacing for k in range(8)], 8 * spacing)}"
        start = number % 40 / 10
        yield "assistant\n" + write_answer(Answer(name, start, start + 1.5, names[(number * 7) % len(names)]))


def conversation(question: str, video: Any, answer: Answer | None = None) -> list[dict[str, Any]]:
    """Messages for the chat template: a video, a question and, where there is one, the answer to learn."""
    content = [{"type": "video", "video": video}, {"type": "text", "text": question}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if answer is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": write_answer(answer)}]})
    return messages


def question_of(clip: OperationClip) -> str:
    """The question about a clip; tells the times of its frames."""
    return ask(clip.times_s, clip.duration_s)


def video_metadata(clip: OperationClip) -> dict[str, Any]:
    """What the stock video processor is told of a clip: frames already chosen, and the true time of each.

    Raises:
        CheckFailed: two frames last no whole number of seconds, so that the model, which truncates it, would
            see another time than the one that is told.
    """
    step = 2 * clip.spacing_s
    if step < 1 or step != int(step):
        raise CheckFailed(
            f"clip with {clip.spacing_s} s between frames: Qwen2.5-VL cannot express {step} s per grid"
        )
    return {
        "fps": 1 / clip.spacing_s,
        "total_num_frames": clip.frames,
        "duration": clip.duration_s,
        "frames_indices": list(range(clip.frames)),
    }


def model_inputs(
    processor: Any, clips: Sequence[OperationClip], frames: Sequence[np.ndarray] | None = None
) -> dict[str, Any]:
    """Inputs for `generate`, made by the stock processor: batch padded on the left.

    Args:
        processor: the `Qwen2_5_VLProcessor`.
        clips: asked about.
        frames: of each clip, (T, H, W, 3) uint8 RGB, where they are at hand; drawn otherwise.

    Returns:
        `input_ids`, `attention_mask`, `mm_token_type_ids`, `pixel_values_videos`, `video_grid_thw` and
        `second_per_grid_ts` as tensors.
    """
    pictures = [clip.pixels() for clip in clips] if frames is None else list(frames)
    texts = [
        processor.apply_chat_template(
            conversation(question_of(clip), "clip"), tokenize=False, add_generation_prompt=True
        )
        for clip in clips
    ]
    inputs = processor(
        text=texts,
        videos=pictures,
        video_metadata=[video_metadata(clip) for clip in clips],
        do_sample_frames=False,
        padding=True,
        return_tensors="pt",
    )
    return {name: value for name, value in inputs.items() if name != "video_metadata"}
