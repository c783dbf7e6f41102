"""The model under test: asked through its stock processor, with a gradient down to the picture."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nbhelpers.attack.conversation import answer_ids, asked
from nbhelpers.attack.pictures import Pixels
from nbhelpers.attack.transforms import straight_through
from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from nbhelpers.models import Loaded

# What a processor gives beside the model's own inputs.
_NOT_INPUTS = ("labels", "rows", "cols", "num_patches")
# Per-token inputs, with what stands for a token of the answer; PaliGemma marks its answers.
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


class Victim:
    """A vision-language model that stays as it is.

    Args:
        loaded: made with task `attack` or `infer`.
        new_tokens: tokens of an answer, at most.
        batch: questions per call of `generate`.

    Raises:
        BadInput: the family takes no images; names it.
    """

    def __init__(self, loaded: "Loaded", new_tokens: int = 24, batch: int = 32) -> None:
        loaded.family.check_task("attack")
        if not hasattr(loaded.processor, "image_processor"):
            raise BadInput(f"{loaded.name}: its processor takes no images; use the one of the whole model")
        self.loaded, self.model, self.processor = loaded, loaded.model, loaded.processor
        self.family = loaded.family.model_type
        self.new_tokens, self.batch = new_tokens, batch
        self._rows: dict[tuple[str, str, int], dict[str, Tensor]] = {}

    # --- with a gradient
    def log_likelihood(
        self,
        pictures: Tensor,
        questions: Sequence[str],
        answers: Sequence[str],
        eight_bit: str = "round",
    ) -> tuple[Tensor, Tensor]:
        """How likely the model is to write each answer, teacher-forced; the end of the turn included.

        Args:
            pictures: (N, 3, S, S) float in 0..1, with gradient.
            questions: N texts.
            answers: N texts.
            eight_bit: `off`; `round`: as a file would round them; `processor`: what the stock processor
                makes of 8-bit pictures, with the gradient of its floating-point path.

        Returns:
            Log-probabilities of the tokens (N, T) float32, and which count (N, T) bool.
        """
        rows = [
            self._row(question, answer, pictures.shape[-1])
            for question, answer in zip(questions, answers, strict=True)
        ]
        inputs, targets, first = self._collate(rows)
        inputs |= self.pixels(pictures, eight_bit)
        keep = targets.shape[1] - first + 1  # logits before the first answer begins are not computed
        logits = self.model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:-1].float()
        wanted = targets[:, first:]
        counts = wanted >= 0
        picked = logits.log_softmax(-1).gather(-1, wanted.clamp_min(0)[..., None])[..., 0]
        return picked.masked_fill(~counts, 0.0), counts

    def pixels(self, pictures: Tensor, eight_bit: str = "round") -> dict[str, Tensor]:
        """What the stock image processor makes of pictures (N, 3, S, S) in 0..1; keeps the gradient.

        Raises:
            BadInput: an unknown `eight_bit`.
            CheckFailed: the processor has cut the gradient.
        """
        if eight_bit not in ("off", "round", "processor"):
            raise BadInput(f"eight_bit {eight_bit!r}: use off, round or processor")
        values = pictures * 255
        levels = values.detach().round().clamp(0, 255)
        made = self._processed(straight_through(values, levels) if eight_bit == "round" else values)
        if pictures.requires_grad and not made["pixel_values"].requires_grad:
            raise CheckFailed(
                f"{type(self.processor.image_processor).__name__} cuts the gradient between picture and "
                "pixel values: this processor cannot be attacked through"
            )
        if eight_bit == "processor":
            seen = self._processed(levels.to(torch.uint8))["pixel_values"]
            made["pixel_values"] = straight_through(made["pixel_values"], seen)
        return made

    def _processed(self, pictures: Tensor) -> dict[str, Tensor]:
        images: Any = list(pictures)
        if self.family == "smolvlm":  # one list of pictures for each text
            images = [[one] for one in images]
        made = self.processor.image_processor(images=images, return_tensors="pt")
        return self._placed({name: value for name, value in made.items() if name not in _NOT_INPUTS})

    def _placed(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """On the model's device; pixels in the type of its weights."""
        moved = {name: value.to(self.loaded.device) for name, value in inputs.items()}
        floats = {
            name: value.to(self.loaded.dtype) for name, value in moved.items() if value.is_floating_point()
        }
        return moved | floats

    # --- text, once per question
    def _row(self, question: str, answer: str, side: int) -> dict[str, Tensor]:
        """Per-token inputs (T,) of a question with its answer, and `targets` of the answer's tokens."""
        key = (question, answer, side)
        if key not in self._rows:
            blank = [torch.zeros((3, side, side), dtype=torch.uint8)]
            inputs = self._questions([question], blank)
            row = {name: inputs[name][0] for name in _PER_TOKEN if name in inputs}
            targets = torch.tensor(answer_ids(self.processor, question, answer))
            fills = {"attention_mask": 1, "token_type_ids": int(self.family == "paligemma")}
            for name, value in row.items():
                after = torch.full_like(targets, fills.get(name, 0))
                row[name] = torch.cat([value, targets if name == "input_ids" else after])
            self._rows[key] = {**row, "targets": targets}
        return self._rows[key]

    def _questions(self, questions: Sequence[str], images: Sequence[Any]) -> dict[str, Tensor]:
        """The stock processor on questions with one picture each, padded on the left."""
        texts = [asked(self.processor, question) for question in questions]
        # A chat template has written the beginning of the text already: no second one.
        plain = (
            {} if getattr(self.processor, "chat_template", None) is None else {"add_special_tokens": False}
        )
        made = self.processor(
            text=texts, images=[[one] for one in images], padding=True, padding_side="left",
            return_tensors="pt", **plain,
        )  # fmt: skip
        return {name: value for name, value in made.items() if name not in _NOT_INPUTS}

    def _collate(self, rows: Sequence[dict[str, Tensor]]) -> tuple[dict[str, Tensor], Tensor, int]:
        """Rows padded on the right, targets (N, tokens) with -1 elsewhere, and where the first answer begins.

        Padding on the left would leave positions that see nothing, whose gradients some kernels make NaN.
        """
        longest = max(len(row["input_ids"]) for row in rows)
        fills = {"input_ids": self.processor.tokenizer.pad_token_id}
        inputs = {
            name: torch.stack([_padded(row[name], longest, fills.get(name, 0)) for row in rows])
            for name in rows[0]
            if name != "targets"
        }
        targets = torch.full((len(rows), longest), -1)
        begins = [len(row["input_ids"]) - len(row["targets"]) for row in rows]
        for index, (row, begin) in enumerate(zip(rows, begins, strict=True)):
            targets[index, begin : begin + len(row["targets"])] = row["targets"]
        return self._placed(inputs), targets.to(self.loaded.device), min(begins)

    # --- as anybody would ask
    def answers(self, pictures: Sequence[Pixels], questions: Sequence[str], label: str = "") -> list[str]:
        """Greedy answers to 8-bit pictures through the stock processor and `generate`.

        Args:
            pictures: N of (H, W, 3) uint8 RGB.
            questions: N texts.
            label: shown with the progress.
        """
        from nbhelpers.runtime import progress

        order = sorted(range(len(questions)), key=lambda i: (pictures[i].shape, len(questions[i])))
        parts = [order[first : first + self.batch] for first in range(0, len(order), self.batch)]
        said: dict[int, str] = {}
        for part in progress(parts, label=label or "asking", unit="batch"):
            given = self._generate([pictures[i] for i in part], [questions[i] for i in part])
            said |= dict(zip(part, given, strict=True))
        return [said[i] for i in range(len(questions))]

    def _generate(self, pictures: Sequence[Pixels], questions: Sequence[str]) -> list[str]:
        from PIL import Image

        inputs = self._placed(self._questions(questions, [Image.fromarray(one) for one in pictures]))
        with torch.inference_mode():
            written = self.model.generate(**inputs, max_new_tokens=self.new_tokens, do_sample=False)
        fresh = written[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.processor.tokenizer.batch_decode(fresh, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def fingerprint(self) -> str:
        """A hash over every weight and buffer, 32 hex digits: another one after means the victim changed."""
        from nbhelpers.models import tensor_digests

        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted(tensor_digests(self.model).items()):
            digest.update(f"{name} {value}\n".encode())
        return digest.hexdigest()


def _padded(row: Tensor, length: int, fill: int) -> Tensor:
    return torch.cat([row, row.new_full((length - len(row),), fill)])
