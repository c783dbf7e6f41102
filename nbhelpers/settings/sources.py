"""Where settings come from: profiles with `extends`, a user's overlay file, `phase.key=value` overrides."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput


@dataclass(frozen=True)
class Layer:
    """One source of settings: what people call it and what it holds; `${...}` is not yet substituted."""

    name: str
    content: dict[str, Any]


def profile_names() -> list[str]:
    """Names of the built-in profiles that can be asked for."""
    files = (Path(item.name) for item in _built_in().iterdir())
    return sorted(file.stem for file in files if file.suffix == ".yaml" and file.stem != "base")


def profile_layers(profile: str) -> list[Layer]:
    """The files a profile consists of, the one all others extend first.

    Args:
        profile: a built-in name or the path of a YAML file.

    Raises:
        BadInput: no such profile or file, not YAML, or profiles that extend each other in a circle.
    """
    layers: list[Layer] = []
    chain: list[str] = []
    source: str | None = profile
    folder, asked_by = Path(), ""
    while source is not None:
        name, text, folder = _read(source, folder, asked_by)
        if name in chain:
            raise BadInput(
                f"{name}: extends itself in a circle: {' -> '.join([*chain, name])}; remove one `extends`"
            )
        chain.append(name)
        layer = Layer(name, parse(text, name))
        source, asked_by = _extends(layer), name
        layers.insert(0, layer)
    return layers


def file_layer(path: Path) -> Layer:
    """A user's file that is laid over the profile; it may not extend one itself.

    Raises:
        BadInput: no such file, not YAML, or it holds `extends`.
    """
    layer = Layer(str(path), parse(_text(path), str(path)))
    if "extends" in layer.content:
        raise BadInput(
            f"{path}: `extends` only works in a profile; give this file as --profile {path}, or remove it"
        )
    return layer


def override_layers(overrides: Sequence[str]) -> list[Layer]:
    """Each `phase.key=value` as a layer; the value is read as YAML.

    Raises:
        BadInput: no `=`, no `phase.key`, or a value that is not YAML.
    """
    return [_override(text) for text in overrides]


def _override(text: str) -> Layer:
    from omegaconf import OmegaConf

    name, (key, equals, _) = f"--set {text}", text.partition("=")
    if not equals or len(key.split(".")) < 2 or not all(key.split(".")):
        raise BadInput(f"{name}: write phase.key=value, such as distill.epochs=3")
    try:
        return Layer(name, _plain(OmegaConf.from_dotlist([text])))
    except Exception as error:  # PyYAML and OmegaConf raise many kinds; all mean the value cannot be read
        raise BadInput(f"{name}: the value cannot be read as YAML ({_one_line(error)})") from error


def parse(text: str, name: str) -> dict[str, Any]:
    """Read YAML text that must hold a mapping (or nothing).

    Raises:
        BadInput: not YAML, a repeated key, or no mapping.
    """
    from omegaconf import DictConfig, OmegaConf

    try:
        content: Any = OmegaConf.create(text) if text.strip() else OmegaConf.create()
    except Exception as error:  # as above
        raise BadInput(f"{name}: is not YAML that can be used: {_one_line(error)}") from error
    if not isinstance(content, DictConfig):
        raise BadInput(f"{name}: must hold sections such as `distill:` with keys below them, not a list")
    return _plain(content)


def _plain(content: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(content, resolve=False)
    return {str(key): value for key, value in values.items()}


def closest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'epochs'?)`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _extends(layer: Layer) -> str | None:
    if "extends" not in layer.content:
        return None
    parent = layer.content.pop("extends")
    if not isinstance(parent, str):
        raise BadInput(f"{layer.name}: extends is {parent!r}, but must be one profile name or file")
    return parent


def _read(source: str, folder: Path, asked_by: str) -> tuple[str, str, Path]:
    """The name people know a profile by, its text, and the folder its own relative `extends` starts from."""
    known = ["base", *profile_names()] if asked_by else ["auto", *profile_names()]
    if source in known:
        return f"profiles/{source}.yaml", (_built_in() / f"{source}.yaml").read_text(encoding="utf-8"), Path()
    path = folder / Path(source).expanduser()
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        return str(path), _text(path), path.parent
    where = f"{asked_by}: extends {source!r}" if asked_by else f"profile {source!r}"
    hint = closest(source, known)
    raise BadInput(
        f"{where}: there is no such profile{hint}; known: {', '.join(known)}, or the path of a YAML file"
    )


def _text(path: Path) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as UTF-8 text ({_one_line(error)})") from error


def _built_in() -> Any:
    return resources.files("nbhelpers") / "profiles"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
