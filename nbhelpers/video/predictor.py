"""A vision-language model that answers questions about clips, with or without an adapter."""

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.video.adapter import Beside, read_beside
from nbhelpers.video.answers import VideoAnswer, read_answer
from nbhelpers.video.constrained import AnswerMask, answer_pattern
from nbhelpers.video.conversation import model_inputs, telling_of
from nbhelpers.video.samples import Clips, Given, VideoSample, sample_of
from nbhelpers.video.sizing import limit_area

if TYPE_CHECKING:
    from nbhelpers.memory import Budget
    from nbhelpers.models import Loaded

NEW_TOKENS = 96  # an answer with two long names has about 60 in a vocabulary of 424 words


class VideoPredictor:
    """Asks one model about clips.

    Args:
        loaded: the model and what is known of it.
        operations: names it may answer when it is constrained; empty: any.
        adapter: folder of the adapter that is on it already, or None.
        batch: clips per call of `generate`.
    """

    def __init__(
        self,
        loaded: "Loaded",
        operations: Sequence[str] = (),
        adapter: Path | None = None,
        batch: int = 8,
    ) -> None:
        self.loaded, self.adapter, self.batch = loaded, adapter, batch
        self.operations = tuple(operations)
        self.model: Any = loaded.model

    @classmethod
    def load(
        cls,
        model: str | Sequence[str],
        adapter: str | Path | None = None,
        *,
        device: str = "auto",
        budget: "int | Budget | None" = None,
        quantize: str | None = None,
        operations: Sequence[str] | None = None,
        batch: int = 8,
    ) -> "VideoPredictor":
        """Load the first model of a chain that fits, and put an adapter on it.

        Args:
            model: names, folders or `tiny/qwen2.5-vl`, tried in order.
            adapter: folder that `tune_video` wrote; None leaves the model as it is.
            device: `auto`, `cpu` or `cuda:N`.
            budget: bytes a step may take; see `models.load`.
            quantize: `nf4`, `int8` or None.
            operations: names of operations; None takes those the adapter was tuned on.
            batch: clips per call of `generate`.

        Raises:
            BadInput: the adapter is damaged or of another model.
            NothingFits: no model could be loaded; says why.
        """
        from nbhelpers.memory import Shapes
        from nbhelpers.models import load

        shapes = Shapes(images=0, frames=8, size=224, text_tokens=256, new_tokens=NEW_TOKENS)
        loaded = load(model, task="infer", budget=budget, quantize=quantize, device=device, shapes=shapes)
        made = cls(loaded, operations or (), None, batch)
        if adapter is not None:
            made.swap(adapter)
            made.operations = tuple(operations) if operations is not None else made.operations
        return made

    def swap(self, adapter: str | Path | None) -> None:
        """Take the adapter off, and put another one on; None leaves the model bare.

        Raises:
            BadInput: the adapter is damaged or of another model; the one before stays.
        """
        from nbhelpers.models import read_adapter

        before = self.adapter
        if adapter is not None:
            read_adapter(adapter)  # what is damaged is refused before anything is taken off
        self._take_off()
        try:
            self._put_on(adapter)
        except BadInput:
            self._take_off()
            self._put_on(before)
            raise

    def _take_off(self) -> None:
        if hasattr(self.model, "unload"):
            self.model.unload()
        self.loaded.model.__dict__.pop("peft_config", None)
        self.model, self.adapter = self.loaded.model, None

    def _put_on(self, adapter: str | Path | None) -> None:
        from nbhelpers.models import load_adapter

        if adapter is not None:
            self.model = load_adapter(self.loaded.model, adapter).eval()
            self.adapter = Path(adapter)
            self._taught(read_beside(adapter))

    def _taught(self, beside: Beside) -> None:
        """Show and ask as the adapter was tuned."""
        self.operations = beside.operations
        kind = self.loaded.family.model_type
        limit_area(self.loaded.processor, kind, beside.size_px, beside.frames)

    def predict(self, clips: "Clips | Given", constrained: bool = False) -> list[VideoAnswer]:
        """Answer about clips, greedily.

        Args:
            clips: drawn clips, clips of files, or triples of frames (N, H, W, 3) uint8 RGB, their times and
                the clip's length in seconds; or one such triple.
            constrained: only let it write answers, with names of `operations` and times within the clip.

        Returns:
            One answer per clip, in their order.

        Raises:
            BadInput: something that is no clip, or times the question cannot tell.
            CheckFailed: the model would be told wrong times.
        """
        from nbhelpers.runtime import progress

        samples = [sample_of(clip) for clip in _listed(clips)]
        parts = list(self._parts(samples))
        found: list[VideoAnswer] = []
        for part in progress(parts, label="answering", unit="batch"):
            found += self._answer(part, constrained)
        return found

    def _parts(self, samples: Sequence[VideoSample]) -> Iterator[list[VideoSample]]:
        """Batches of clips that follow each other and are shown in the same way."""
        kind = self.loaded.family.model_type
        for _, same in groupby(samples, lambda one: telling_of(kind, one).layout):
            run = list(same)
            for first in range(0, len(run), self.batch):
                yield run[first : first + self.batch]

    def _answer(self, samples: Sequence[VideoSample], constrained: bool) -> list[VideoAnswer]:
        import torch

        began = time.perf_counter()
        frames = [sample.frames() for sample in samples]
        inputs = self._placed(model_inputs(self.loaded.processor, self.loaded.family, samples, frames))
        given = [self._mask(samples)] if constrained else None
        with torch.inference_mode():
            tokens = self.model.generate(
                **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, logits_processor=given
            )
        fresh = tokens[:, inputs["input_ids"].shape[1] :]
        texts = self.loaded.processor.batch_decode(fresh, skip_special_tokens=True)
        each_s = (time.perf_counter() - began) / len(samples)
        said = zip(samples, texts, strict=True)
        return [read_answer(one.name, text, one.duration_s, each_s) for one, text in said]

    def _mask(self, samples: Sequence[VideoSample]) -> AnswerMask:
        tokenizer = self.loaded.processor.tokenizer
        width = self.loaded.config.get_text_config().vocab_size
        patterns = [answer_pattern(self.operations, sample.duration_s) for sample in samples]
        return AnswerMask(tokenizer, width, patterns)

    def _placed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs on the model's device, pixels in the type of its weights."""
        device, dtype = self.loaded.device, self.loaded.dtype
        moved = {name: value.to(device) for name, value in inputs.items()}
        pixels = {name: value.to(dtype) for name, value in moved.items() if name.startswith("pixel_values")}
        return moved | pixels

    def describe(self) -> dict[str, Any]:
        """What answers here: model, revision, device, every rung tried, and the adapter."""
        loaded = self.loaded
        return {
            "model": loaded.name,
            "revision": loaded.revision,
            "family": loaded.family.model_type,
            "device": loaded.device,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "quantize": loaded.quantize,
            "reason": loaded.reason,
            "rungs": [{"name": one.name, "taken": one.taken, "reason": one.reason} for one in loaded.rungs],
            "adapter": self.adapter.name if self.adapter else None,
            "operations": list(self.operations),
        }


def _listed(clips: Any) -> list[Any]:
    """The clips as a list; one triple of frames, times and length stands for itself."""
    if isinstance(clips, tuple) and len(clips) == 3 and hasattr(clips[0], "ndim"):
        return [clips]
    listed = list(clips)
    if not listed:
        raise BadInput("predict: there are no clips to answer about")
    return listed
