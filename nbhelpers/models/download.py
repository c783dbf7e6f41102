"""Fetching from the hub: the configuration first, the weights once it is known that they fit."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nbhelpers.models.hub import Source, refusal
from nbhelpers.models.quiet import quiet_when_headless
from nbhelpers.models.rungs import Refused
from nbhelpers.runtime.tables import size_text

T = TypeVar("T")

_TEXTS = ["*.json", "*.txt", "*.model", "*.jinja"]
# Sub-folders hold other formats (ONNX, original checkpoints); `consolidated` repeats the weights.
_NEVER = ["*/*", "consolidated*"]
_PATIENCE_S = 5.0


def fetch_config(source: Source) -> Source:
    """Fetch `config.json` of a model on the hub; its folder and the exact commit come back in the source.

    Raises:
        Refused: `gated`, `not_found` or `no_network`.
    """
    from huggingface_hub import hf_hub_download

    def config() -> str:
        with quiet_when_headless():
            return hf_hub_download(source.repo, "config.json", revision=source.revision)

    asked(source.repo, lambda: _ask_once(source))
    path = Path(asked(source.repo, config))
    return replace(source, folder=path.parent, revision=path.parent.name)


def _ask_once(source: Source) -> None:
    """One bounded question: the library tries for half a minute when the hub answers 503 or is silent."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    url = hf_hub_url(source.repo, "config.json", revision=source.revision)
    hf_raise_for_status(get_session().head(url, headers=build_hf_headers(), timeout=_PATIENCE_S))


def fetch_weights(source: Source) -> Source:
    """Fetch the weights, tokenizer and processor files of a model whose configuration is there.

    Safetensors are preferred; sub-folders are left out. Bytes already in the cache are not fetched again.

    Raises:
        Refused: as `fetch_config`, or `too_large` for the disk.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    def snapshot(**more: Any) -> Any:
        with quiet_when_headless():
            return snapshot_download(source.repo, revision=source.revision, ignore_patterns=_NEVER, **more)

    listed = asked(source.repo, lambda: snapshot(dry_run=True))
    patterns = _patterns([item.filename for item in listed], source.repo)
    _check_disk(list(filter_repo_objects(listed, allow_patterns=patterns, key=lambda item: item.filename)))
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
