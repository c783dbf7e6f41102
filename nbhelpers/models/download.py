"""Fetching from the hub: the configuration first, the weights once it is known that they fit."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nbhelpers.models.hub import Source, refusal
from nbhelpers.models.rungs import Refused
from nbhelpers.runtime.tables import size_text

T = TypeVar("T")

_TEXTS = ["*.json", "*.txt", "*.model", "*.jinja"]
# Sub-folders hold other formats (ONNX, original checkpoints); `consolidated` repeats the weights.
_NEVER = ["*/*", "consolidated*"]


def fetch_config(source: Source) -> Source:
    """Fetch `config.json` of a model on the hub; its folder and the exact commit come back in the source.

    Raises:
        Refused: `gated`, `not_found` or `no_network`.
    """
    from huggingface_hub import hf_hub_download

    path = asked(source.repo, lambda: hf_hub_download(source.repo, "config.json", revision=source.revision))
    return replace(source, folder=Path(path).parent, revision=Path(path).parent.name)


def fetch_weights(source: Source) -> Source:
    """Fetch the weights, tokenizer and processor files of a model whose configuration is there.

    Safetensors are preferred; sub-folders are left out. Bytes already in the cache are not fetched again.

    Raises:
        Refused: as `fetch_config`, or `too_large` for the disk.
    """
    from huggingface_hub import snapshot_download

    def snapshot(**more: Any) -> Any:
        return snapshot_download(source.repo, revision=source.revision, ignore_patterns=_NEVER, **more)

    listed = asked(source.repo, lambda: snapshot(dry_run=True))
    patterns = _patterns([item.filename for item in listed], source.repo)
    _check_disk(asked(source.repo, lambda: snapshot(allow_patterns=patterns, dry_run=True)))
    folder = asked(source.repo, lambda: snapshot(allow_patterns=patterns))
    return replace(source, folder=Path(folder))


def _patterns(names: list[str], repo: str) -> list[str]:
    for weights in ("*.safetensors", "pytorch_model*.bin"):
        if any(Path(name).match(weights) for name in names):
            # The index of the other format would ask for files that are not fetched.
            return [*_TEXTS, weights]
    raise Refused("not_found", f"{repo} on the hub holds no safetensors and no pytorch_model.bin")


def _check_disk(files: list[Any]) -> None:
    wanted = sum(item.file_size or 0 for item in files if item.will_download)
    if not files or not wanted:
        return
    folder = Path(files[0].local_path)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise Refused(
            "too_large",
            f"its files take {size_text(wanted)}, {size_text(wanted - free)} more than the disk has free; "
            "set HF_HOME to a larger one",
        )


def asked(repo: str, ask: Callable[[], T]) -> T:
    """Ask the hub and turn its errors into refusals; other errors pass.

    Raises:
        Refused: what the hub's error means.
    """
    try:
        return ask()
    except Exception as error:
        refused = refusal(error, repo)
        if refused is None:
            raise
    raise refused
