"""The local rung: the largest coder of the profile that this machine can hold, loaded when first asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbhelpers.codegen.prompt import SMALL_CONTEXT, messages, program_in, sentence
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.codegen.writers import Identity, Left, Rung, Written
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.memory import Budget
    from nbhelpers.models import Loaded
    from nbhelpers.settings import CodegenSection, MemorySection


class LocalWriter:
    """Writes with a model on this machine.

    Args:
        settings: the `codegen` section.
        memory: the `memory` section: its limit and what it keeps free bound the model.
        profile: whose chain of models `auto` means: cpu, t4 or rtx3090.
        device: as `runtime.choose_device` takes it.
        say: takes the lines meant for people, one per candidate.

    Attributes:
        loaded: the model, None while there is none in memory.
    """

    rung: Rung = "local"

    def __init__(
        self, settings: "CodegenSection", memory: "MemorySection", *, profile: str = "cpu",
        device: str = "auto", say: Callable[[str], None] = print,
    ) -> None:  # fmt: skip
        self._settings, self._memory, self._profile = settings, memory, profile
        self._device, self._say = device, say
        self.loaded: Loaded | None = None

    def write(self, request: CodeRequest, tries: int, findings: str, left_s: float) -> Written:
        """Write greedily at first, then by drawing, with what the checks found.

        Raises:
            Left: `no_memory`, `no_model`, or `no_code` where nothing was written in time.
        """
        from nbhelpers.memory import watch

        with watch(0.05) as seen:
            loaded = self.loaded or self._load()
            chat = self._prompt(loaded, request, findings)
            text, tokens = _generate(loaded, chat, self._settings, tries, left_s)
        try:
            project = program_in(text)
        except BadInput as error:
            raise Left("no_code", f"{loaded.name}: {error}") from None
        peak = sum(seen.gpu_peak_bytes.values()) or seen.grown_bytes
        return Written(project, text, tokens, identity_of(loaded), peak)

    def _load(self) -> "Loaded":
        from nbhelpers.memory import Shapes
        from nbhelpers.models import NothingFits, chain, load_first
        from nbhelpers.runtime import choose_device

        device = choose_device(self._device).value
        allowed = self.budget(device)
        names = chain("code", self._profile, self._settings.model)

        def options(name: str) -> dict[str, Any]:
            shapes = Shapes(images=0, text_tokens=512, new_tokens=self._settings.new_tokens)
            small = Shapes(images=0, text_tokens=128, new_tokens=384)
            twin = name.startswith("tiny/")
            return {
                "budget": allowed, "device": device, "shapes": small if twin else shapes,
                "quantize": self._packing(twin, device),
            }  # fmt: skip

        try:
            self.loaded = load_first(names, options, say=self._say)
        except NothingFits as error:
            raise Left("no_model", str(error)) from None
        return self.loaded

    def budget(self, device: str) -> "Budget":
        """What a model may take now.

        Raises:
            Left: `no_memory`: less is free than a local model is given at least.
        """
        from nbhelpers.memory import budget
        from nbhelpers.runtime import GIB

        found = budget(self._memory.limit_gib, self._memory.keep_free_gib, device)
        least = self._settings.min_free_gib
        if found.bytes < least * GIB:
            raise Left(
                "no_memory",
                f"{found.bytes / GIB:.1f} GiB may be used ({found.reason}), and no local model is tried "
                f"below {least:g} GiB (codegen.min_free_gib)",
            )
        return found

    def _packing(self, twin: bool, device: str) -> str | None:
        wanted = self._settings.quantize
        if wanted != "auto":
            return None if wanted == "none" else wanted
        return "nf4" if device.startswith("cuda") and not twin else None

    def _prompt(self, loaded: "Loaded", request: CodeRequest, findings: str) -> list[dict[str, str]]:
        if int(loaded.config.max_position_embeddings) <= SMALL_CONTEXT:
            return [{"role": "user", "content": sentence(request)}]
        return messages(request, findings)

    def close(self) -> None:
        """Give the model's memory back to the system."""
        from nbhelpers.memory import release

        if self.loaded is not None:
            self.loaded = None
            release()


def identity_of(loaded: "Loaded") -> Identity:
    """Name, revision and precision of a loaded model."""
    number = str(loaded.dtype).removeprefix("torch.")
    packed = f"+{loaded.quantize}" if loaded.quantize else ""
    return Identity(loaded.name, loaded.revision, number + packed)


def _generate(
    loaded: "Loaded", chat: list[dict[str, str]], settings: "CodegenSection", tries: int, left_s: float
) -> tuple[str, int]:
    """What the model writes, and its tokens; cut off by the clock, the context or the settings.

    Raises:
        Left: `no_code`: the request fills the context.
    """
    import torch

    tokenizer, model = loaded.processor, loaded.model
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    ).to(loaded.device)
    given = inputs["input_ids"].shape[1]
    room = min(settings.new_tokens, int(loaded.config.max_position_embeddings) - given)
    if room < 16:
        raise Left("no_code", f"{loaded.name}: a request of {given} tokens leaves no room for an answer")
    drawn = {"do_sample": True, "temperature": 0.6, "top_p": 0.95} if tries else {"do_sample": False}
    devices = [loaded.device] if loaded.device.startswith("cuda") else []
    with torch.inference_mode(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(settings.seed + tries)
        output = model.generate(**inputs, max_new_tokens=room, max_time=left_s, **drawn)
    ids = output[0, given:]
    return tokenizer.decode(ids, skip_special_tokens=True), len(ids)
