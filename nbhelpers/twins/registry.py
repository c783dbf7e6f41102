"""The twins there are, by name; a twin's package is imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from nbhelpers.errors import BadInput
from nbhelpers.twins.recipe import Recipe

_PACKAGES = {
    "grounding-dino": "grounding_dino",
    "sam": "sam",
    "qwen2.5-vl": "qwen2_5_vl",
    "gemma-3": "gemma3",
    "paligemma": "paligemma",
    "qwen2.5-coder": "qwen2_coder",
}


class Recipes(Mapping[str, Recipe]):
    """Name to `Recipe`, imported on first use; only twins whose package is there."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = dict(modules)
        self._own: dict[str, Recipe] = {}

    def __getitem__(self, name: str) -> Recipe:
        if name in self._own:
            return self._own[name]
        return import_module(self._modules[name]).RECIPE

    def __iter__(self) -> Iterator[str]:
        there = [name for name, module in self._modules.items() if _is_there(module)]
        return iter(dict.fromkeys([*there, *self._own]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def add(self, recipe: Recipe) -> None:
        """Register a recipe that has no package here.

        Raises:
            BadInput: there is one of this name already.
        """
        if recipe.name in self._own or recipe.name in self._modules:
            raise BadInput(f"twin {recipe.name!r}: there is a recipe of this name already")
        self._own[recipe.name] = recipe

    def remove(self, name: str) -> None:
        """Forget a recipe that was registered with `add`."""
        del self._own[name]


def _is_there(module: str) -> bool:
    """Whether a recipe's module can be found; looks for the file and runs none of it but its packages."""
    package = Path(__file__).parent / module.split(".")[2]
    return package.is_dir() and find_spec(module) is not None


RECIPES = Recipes({name: f"nbhelpers.twins.{package}.recipe" for name, package in _PACKAGES.items()})


def find_recipe(name: str) -> Recipe:
    """The recipe of a twin, named "sam" or "tiny/sam".

    Raises:
        BadInput: no such twin; lists those there are.
    """
    short = name.removeprefix("tiny/")
    if short not in set(RECIPES):
        raise BadInput(f"twin {name!r}: is not known; there are {', '.join(RECIPES) or 'none'}")
    return RECIPES[short]
