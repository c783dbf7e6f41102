"""The classes: ids, names, doubles; and the map from ids as written to ids as kept."""

from typing import Any

from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.values import IdMap


class Categories:
    """The sound categories of a document.

    Attributes:
        records: COCO category records with whole-number ids and unique names.
        is_invented: no category was usable, so classes are named after the ids the annotations use.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        entries = [entry for entry in draft.categories if isinstance(entry, dict)]
        self._ids = IdMap([entry.get("id") for entry in entries])
        self._merged: dict[int, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_id: dict[int, dict[str, Any]] = {}
        for position, entry in enumerate(draft.categories):
            self._take(position, entry)
        self.is_invented = not self._by_id
        if self.is_invented and draft.annotations:
            self._invent()

    @property
    def records(self) -> list[dict[str, Any]]:
        """The categories kept, in the order of the document."""
        return list(self._by_id.values())

    def find(self, value: Any) -> tuple[int | None, str]:
        """The category an annotation means by `value`, and how: `id`, `merged`, `rewritten` or `name`."""
        id_ = self._ids.find(value)
        if id_ is None:
            named = self._by_name.get(value.strip()) if isinstance(value, str) else None
            return named, "name"
        if id_ in self._merged:
            return self._merged[id_], "merged"
        if id_ not in self._by_id:
            return None, "id"
        return id_, "id" if type(value) is int and value == id_ else "rewritten"

    def _take(self, position: int, entry: Any) -> None:
        note = self._draft.note
        if not isinstance(entry, dict):
            note("category_not_an_object", f"categories[{position}] is {shown(entry)}; dropped", "error")
            return
        raw = entry.get("id")
        if raw is None or isinstance(raw, bool | list | dict):
            note("category_without_id", f"categories[{position}] has the id {shown(raw)}; dropped", "error")
            return
        id_, _ = self._ids.take(raw)
        name = self._name(entry, id_)
        if id_ in self._by_id or id_ in self._merged:
            self._double_id(entry, id_, name)
        elif name in self._by_name:
            self._merged[id_] = self._by_name[name]
            message = (
                f"category {id_} has the name {name!r} of category {self._by_name[name]}; merged into it"
            )
            note("category_duplicate_name", message, "warning")
        else:
            self._keep(entry, raw, id_, name)

    def _keep(self, entry: dict[str, Any], raw: Any, id_: int, name: str) -> None:
        if type(raw) is not int or raw != id_:
            message = f"the id {shown(raw)} of category {name!r} is now {id_}"
            self._draft.note("category_id_rewritten", message, "warning")
        if entry.get("name") != name:
            message = f"category {id_} had the name {shown(entry.get('name'))}; it is now {name!r}"
            self._draft.note("category_name", message, "warning")
        entry["id"], entry["name"] = id_, name
        self._by_id[id_] = entry
        self._by_name[name] = id_

    def _double_id(self, entry: dict[str, Any], id_: int, name: str) -> None:
        kept = self._by_id.get(id_, {}).get("name")
        if kept == name:
            self._draft.note("category_duplicate", f"category {id_} {name!r} is there twice", "warning")
            return
        message = f"category {id_} is there twice, as {kept!r} and {name!r}; the second is dropped"
        self._draft.note("category_duplicate_id", message, "error")

    def _name(self, entry: dict[str, Any], id_: int) -> str:
        raw = entry.get("name")
        if isinstance(raw, str) and raw.strip():
            return raw.strip()
        is_label = isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e15
        return str(raw) if is_label else f"class_{id_}"

    def _invent(self) -> None:
        """Without any category, the ids that annotations use are all there is to go by."""
        raws = [entry.get("category_id") for entry in self._draft.annotations if isinstance(entry, dict)]
        self._ids = IdMap(raws)
        for raw in raws:
            id_ = self._ids.find(raw)
            if id_ is None and isinstance(raw, str) and raw.strip():
                id_, _ = self._ids.take(raw)
            if id_ is not None and id_ not in self._by_id:
                name = raw.strip() if isinstance(raw, str) and not raw.strip().isdecimal() else f"class_{id_}"
                self._by_id[id_] = {"id": id_, "name": name}
        message = f"no usable category: {len(self._by_id)} classes were named after the annotations' ids"
        self._draft.note("categories_missing", message, "warning")
