"""Names that come from people, made into names that Python, SQL and the frameworks all take."""

import builtins
import keyword
import re
import unicodedata

_LONGEST = 40
# Builtins that templates do not use and people do: a shop is `open`, a file has a `format`.
_FREE = frozenset(
    {"open", "format", "hash", "filter", "input", "round", "sum", "range", "map", "min", "slice"}
)
# Attributes of pydantic's, Django's and SQLAlchemy's own classes.
_OF_FRAMEWORKS = frozenset(
    {
        *("id", "pk", "objects", "metadata", "registry", "check", "clean", "full_clean", "save", "delete"),
        *("copy", "json", "schema", "validate", "construct", "fields", "refresh_from_db", "from_orm", "meta"),
        *("parse_obj", "parse_raw", "parse_file", "update_forward_refs", "adelete", "asave", "schema_json"),
        *("unique_error_message", "validate_constraints", "validate_unique", "clean_fields", "schemas"),
        *("date_error_message", "get_constraints", "get_deferred_fields", "serializable_value", "dt"),
        *("prepare_database_save", "arefresh_from_db", "annotations", "self", "cls", "payload"),
    }
)
_CLASSES = frozenset(
    {
        *("Any", "Base", "BaseModel", "Session", "Mapped", "Flask", "Response", "Model", "Meta", "FastAPI"),
        *(
            "Query",
            "Depends",
            "Annotated",
            "Iterator",
            "Engine",
            "Callable",
            "ConfigDict",
            "Path",
            "Migration",
        ),
        *(
            "HttpRequest",
            "HttpResponse",
            "JsonResponse",
            "HTTPException",
            "DeclarativeBase",
            "TestCase",
            "Store",
        ),
        *("Decimal", "Self", "TypeVar", "Generic", "Sequence", "Mapping", "TestClient", "ArgumentParser"),
    }
)
_ALWAYS_MANY = frozenset({"news", "series", "species", "sheep", "fish", "deer"})
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse"}
_IRREGULAR |= {
    f"{one}s": one for one in ("movie", "cookie", "selfie", "tie", "pie", "zombie", "calorie", "genie")
}


def to_identifier(text: str, fallback: str = "field") -> str:
    """A lower-case ASCII name of 1 to 40 letters, digits and single underscores that clashes with nothing.

    Args:
        text: anything.
        fallback: used where nothing of the text is left.

    Returns:
        Such as `unit_price` for "Unit price". What is a keyword, a builtin or an attribute of a framework's
        classes gets the suffix `_value`.
    """
    flat = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode()
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", flat)
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    if name.startswith(("model_", "test_", "get_next_by_", "get_previous_by_")):
        name = f"the_{name}"
    name = name[:_LONGEST].strip("_")
    return f"{name}_value" if is_taken(name) else name


def is_taken(name: str) -> bool:
    """Whether a name may not be used as it is."""
    builtin = hasattr(builtins, name) and name not in _FREE
    return builtin or keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _OF_FRAMEWORKS


def to_class(name: str) -> str:
    """The class of an entity: `OrderLine` for `order_line`; what would hide another name ends in `Record`."""
    words = "".join(part.capitalize() for part in name.split("_"))
    hidden = words in _CLASSES or hasattr(builtins, words) or words.startswith("Stored")
    return f"{words}Record" if hidden else words


def plural(name: str) -> str:
    """The plural by English rules: `boxes`, `stories`, `books`."""
    if name in _ALWAYS_MANY:
        return f"{name}_list"
    many = {one: more for more, one in _IRREGULAR.items()}
    if name in many:
        return many[name]
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def singular(word: str) -> str:
    """The singular by the same rules turned round; a word that is no plural stays."""
    low = word.lower()
    if low in _ALWAYS_MANY or len(low) < 4 or low.endswith(("ss", "us", "is")):
        return word
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low.endswith("ies"):
        return f"{word[:-3]}y"
    if re.search(r"(ss|x|z|ch|sh)es$", low):
        return word[:-2]
    return word[:-1] if low.endswith("s") else word
