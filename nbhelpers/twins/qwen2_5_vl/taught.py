"""The twin while it is taught: the answers' loss, and a head that names what each frame shows."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.data.operations import FRAMES, OperationClip
from nbhelpers.twins.qwen2_5_vl.model import MERGE, PATCH, SIDE

_TOKENS = (SIDE // (PATCH * MERGE)) ** 2  # of one grid step, which is two frames
_STEP = 2


def frame_labels(clip: OperationClip, ids: list[int]) -> np.ndarray:
    """Which operation each frame shows, as its place in `ids`, (8,) int64."""
    timeline = clip.timeline
    places = [timeline.position(clip.offset_s + time) for time in clip.times_s]
    return np.array([ids.index(timeline.segments[place].operation.id) for place in places])


class Taught(nn.Module):
    """The twin with a linear head on what its vision tower hands to the language model.

    The head tells the operations of the two frames of each grid step and is dropped afterwards. From random
    weights the answer says little about what to look at: of its 36 tokens a handful depend on the picture,
    through all layers. (A head on every token alone taught the tower at half the pace.)
    """

    def __init__(self, twin: Any, operations: int, seed: int) -> None:
        super().__init__()
        self.twin = twin
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = _TOKENS * twin.config.vision_config.out_hidden_size
            self.head = nn.Linear(width, _STEP * operations)
        self.operations = operations
        self._seen: Tensor | None = None
        # Patches are whole kernels of a `Conv3d`: as a matrix product the same sum takes less time.
        embed = twin.model.visual.patch_embed
        embed.forward = lambda rows: functional.linear(rows, embed.proj.weight.flatten(1))
        twin.model.visual.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._seen = output.pooler_output

    def forward(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Logits of the answers' tokens (N, vocabulary) and of the frames' operations (B * 8, classes)."""
        inputs = {name: value for name, value in batch.items() if name not in ("labels", "shown")}
        hidden = self.twin.model(**inputs, use_cache=False).last_hidden_state
        answers = self.twin.lm_head(hidden[:, :-1][batch["labels"][:, 1:] != -100])
        assert self._seen is not None
        features = self._seen.reshape(-1, self.head.in_features)
        return answers, self.head(features).reshape(-1, self.operations)


def taught_loss(model: nn.Module, batch: dict[str, Any], weight: float = 0.5) -> dict[str, Tensor]:
    """Cross entropy of the answers' tokens, plus `weight` times that of the frames' operations."""
    answers, frames = model(batch)
    labels = batch["labels"][:, 1:]
    answer = functional.cross_entropy(answers, labels[labels != -100])
    shown = functional.cross_entropy(frames, batch["shown"].reshape(-1))
    return {"loss": answer + weight * shown, "answer": answer.detach(), "shown": shown.detach()}


def batch_labels(clips: list[OperationClip]) -> Tensor:
    """`frame_labels` of a batch, (B, 8) int64."""
    ids = [operation.id for operation in clips[0].timeline.world.operations]
    return torch.from_numpy(np.stack([frame_labels(clip, ids) for clip in clips])).reshape(-1, FRAMES)
