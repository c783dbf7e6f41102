"""Training batches: clips drawn on first use, each batch a pure function of seed and step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.operations import FRAMES, Answer, OperationClip, answer_of, draw_clip
from nbhelpers.twins.qwen2_5_vl.model import MERGE, PATCH, SIDE
from nbhelpers.twins.qwen2_5_vl.taught import batch_labels
from nbhelpers.twins.qwen2_5_vl.text import conversation, question_of

if TYPE_CHECKING:
    from torch import Tensor

CLIPS = 16  # per step
_GRID = SIDE // PATCH


def seen_answer(clip: OperationClip) -> Answer:
    """The answer as far as the frames tell it: a change lies midway between the frames on its two sides.

    Nobody can see where between two frames it was. Taught the true tenths, greedy decoding would choose the
    likeliest digits one by one; taught these, it says the middle of what is possible. Scores take the truth.
    """
    timeline, true = clip.timeline, answer_of(clip)
    places = [timeline.position(clip.offset_s + time) for time in clip.times_s]
    asked = places[clip.frames // 2]
    first, last = places.index(asked), clip.frames - 1 - places[::-1].index(asked)
    start = (first - 0.5) * clip.spacing_s if first else 0.0
    end = (last + 0.5) * clip.spacing_s if last < clip.frames - 1 else clip.duration_s
    return replace(true, start_s=start, end_s=end)


class ClipPool:
    """The first `count` clips of a seed, drawn when they are asked for and kept as uint8."""

    def __init__(self, seed: int, count: int, world: str = "base") -> None:
        self.seed, self.world = seed, world
        self.clips: list[OperationClip | None] = [None] * count
        # Pages are taken as they are written: a training that is stopped early never needs them all.
        self._pixels = np.empty((count, FRAMES, SIDE, SIDE, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, number: int) -> tuple[OperationClip, np.ndarray]:
        """Clip `number` and its frames, (8, 84, 84, 3) uint8 RGB."""
        clip = self.clips[number]
        if clip is None:
            clip = self.clips[number] = draw_clip(self.seed, number, self.world)
            self._pixels[number] = clip.pixels(SIDE)
        return clip, self._pixels[number]


class BatchMaker:
    """Makes the batch of step k."""

    def __init__(self, pool: ClipPool, processor: Any, seed: int) -> None:
        self.pool, self.processor, self.seed = pool, processor, seed
        self._mean = np.array(processor.video_processor.image_mean, np.float32) * 255
        self._std = np.array(processor.video_processor.image_std, np.float32) * 255

    def __call__(self, step: int) -> dict[str, Any]:
        """Inputs as the stock processor would give them, padded on the right, `labels` and `shown`.

        The pool is gone through in a new order each time.
        """
        epoch, place = divmod(step * CLIPS, len(self.pool) // CLIPS * CLIPS)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.pool))
        rng = np.random.default_rng((self.seed, epoch, step))
        pairs = [self.pool[int(number)] for number in order[place : place + CLIPS]]
        frames = brightened(rng, np.stack([pixels for _, pixels in pairs]))
        clips = [clip for clip, _ in pairs]
        return self.assemble(clips, frames) | {"shown": batch_labels(clips)}

    def assemble(self, clips: Sequence[OperationClip], frames: np.ndarray) -> dict[str, Any]:
        """Inputs and labels of clips whose frames are (B, 8, 84, 84, 3), 0..255."""
        import torch

        batch: dict[str, Any] = dict(self._tokens(clips))
        batch["pixel_values_videos"] = torch.from_numpy(patches((frames - self._mean) / self._std))
        batch["video_grid_thw"] = torch.tensor([[FRAMES // 2, _GRID, _GRID]] * len(clips))
        batch["second_per_grid_ts"] = torch.tensor([2 * clip.spacing_s for clip in clips])
        return batch

    def _tokens(self, clips: Sequence[OperationClip]) -> "dict[str, Tensor]":
        import torch

        tokenizer = self.processor.tokenizer
        rows = [self._row(clip) for clip in clips]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (text, asked) in enumerate(rows):
            ids[row, : len(text)] = torch.tensor(text)
            labels[row, asked : len(text)] = ids[row, asked : len(text)]
            mask[row, : len(text)] = 1
        types = 2 * (ids == self.processor.video_token_id).int()
        return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": types, "labels": labels}

    def _row(self, clip: OperationClip) -> tuple[list[int], int]:
        """Token ids of question and answer, and how many of them are the question's."""
        render, encode = self.processor.apply_chat_template, self.processor.tokenizer.encode
        messages = conversation(question_of(clip), "clip", seen_answer(clip))
        question = render(messages[:1], tokenize=False, add_generation_prompt=True)
        whole = render(messages, tokenize=False).removesuffix("\n")
        places = FRAMES // 2 * (_GRID // MERGE) ** 2
        token = self.processor.video_token
        question, whole = (text.replace(token, token * places) for text in (question, whole))
        asked = encode(question, add_special_tokens=False)
        return encode(whole, add_special_tokens=False), len(asked)


def brightened(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """Vary the light of whole clips a little, so that a clip seen again is not the same: float32, 0..255."""
    count = len(frames)
    gain = np.exp(rng.normal(0, 0.15, (count, 1, 1, 1, 1))) * np.exp(rng.normal(0, 0.04, (count, 1, 1, 1, 3)))
    return np.clip(frames * gain.astype(np.float32), 0, 255)


def patches(videos: np.ndarray) -> np.ndarray:
    """Normalised videos (B, T, H, W, 3) as rows of patches, in the order of `Qwen2VLVideoProcessor`.

    Returns:
        (B * T/2 * H/14 * W/14, 3 * 2 * 14 * 14) float32.
    """
    count, time, height, width, channels = videos.shape
    side = PATCH * MERGE
    shape = (count, time // 2, 2, height // side, MERGE, PATCH, width // side, MERGE, PATCH, channels)
    ordered = videos.reshape(shape).transpose(0, 1, 3, 6, 4, 7, 9, 2, 5, 8)
    rows = count * (time // 2) * (height // PATCH) * (width // PATCH)
    return np.ascontiguousarray(ordered, dtype=np.float32).reshape(rows, channels * 2 * PATCH * PATCH)
