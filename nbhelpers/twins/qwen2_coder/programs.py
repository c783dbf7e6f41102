"""The program that answers a request: one file, the way the twin is taught to write it."""

from nbhelpers.twins.qwen2_coder.requests import Request

ALLOWED_IMPORTS = frozenset({"fastapi", "flask", "pydantic"})
_ONE = {"get", "update", "delete"}  # operations on one entity: they may not find it
_WITH_BODY = {"create", "update"}

_FASTAPI_HEAD = """\
from fastapi import {web}
from pydantic import BaseModel

app = FastAPI()"""
_FASTAPI = {
    "health": """\
@app.get("/health")
def health() -> bool:
    return True""",
    "list": """\
@app.get("{all}")
def list_{entity}s({limits}) -> list[{name}]:
    return list({entity}s.values()){some}""",
    "get": """\
@app.get("{one}")
def get_{entity}({entity}_id: int) -> {name}:
    if {entity}_id not in {entity}s:
        raise HTTPException(404)
    return {entity}s[{entity}_id]""",
    "create": """\
@app.post("{all}")
def create_{entity}({entity}: {name}) -> int:
    {entity}_id = max({entity}s, default=0) + 1
    {entity}s[{entity}_id] = {entity}
    return {entity}_id""",
    "update": """\
@app.put("{one}")
def update_{entity}({entity}_id: int, {entity}: {name}) -> {name}:
    if {entity}_id not in {entity}s:
        raise HTTPException(404)
    {entity}s[{entity}_id] = {entity}
    return {entity}""",
    "delete": """\
@app.delete("{one}")
def delete_{entity}({entity}_id: int) -> {name}:
    if {entity}_id not in {entity}s:
        raise HTTPException(404)
    return {entity}s.pop({entity}_id)""",
}
_FLASK_HEAD = """\
from flask import {web}

app = Flask(__name__)
{entity}s = {{}}"""
_FLASK_READER = """\
def read_{entity}():
    data = request.get_json()
    fields = {{{fields}}}
    if set(data) != set(fields):
        abort(400)
    return {{name: kind(data[name]) for name, kind in fields.items()}}"""
_FLASK_PAGE = """\
@app.get("{all}")
def list_{entity}s():
    limit = request.args.get("limit", 20, int)
    skip = request.args.get("skip", 0, int)
    return jsonify(list({entity}s.values())[skip : skip + limit])"""
_FLASK = {
    "health": """\
@app.get("/health")
def health():
    return jsonify(True)""",
    "list": """\
@app.get("{all}")
def list_{entity}s():
    return jsonify(list({entity}s.values()))""",
    "get": """\
@app.get("{one}")
def get_{entity}({entity}_id):
    if {entity}_id not in {entity}s:
        abort(404)
    return jsonify({entity}s[{entity}_id])""",
    "create": """\
@app.post("{all}")
def create_{entity}():
    {entity}_id = max({entity}s, default=0) + 1
    {entity}s[{entity}_id] = read_{entity}()
    return jsonify({entity}_id)""",
    "update": """\
@app.put("{one}")
def update_{entity}({entity}_id):
    if {entity}_id not in {entity}s:
        abort(404)
    {entity}s[{entity}_id] = read_{entity}()
    return jsonify({entity}s[{entity}_id])""",
    "delete": """\
@app.delete("{one}")
def delete_{entity}({entity}_id):
    if {entity}_id not in {entity}s:
        abort(404)
    return jsonify({entity}s.pop({entity}_id))""",
}


def write_program(request: Request) -> str:
    """Python source of the service, ending in a newline; it keeps its entities in memory."""
    parts = _fastapi(request) if request.framework == "fastapi" else _flask(request)
    return "\n\n\n".join(part.format(**_words(request)) for part in parts) + "\n"


def _words(request: Request) -> dict[str, str]:
    """What the templates leave open, of both frameworks."""
    entity, prefix, fastapi = request.entity, request.prefix, request.framework == "fastapi"
    paging = "paging" in request.options
    parameter = f"{{{entity}_id}}" if fastapi else f"<int:{entity}_id>"
    return {
        "entity": entity,
        "name": entity.capitalize(),
        "all": f"{prefix}/{entity}s",
        "one": f"{prefix}/{entity}s/{parameter}",
        "web": ", ".join(_fastapi_names(request) if fastapi else _flask_names(request)),
        "fields": ", ".join(f'"{field.name}": {field.kind}' for field in request.fields),
        "limits": "limit: int = 20, skip: int = 0" if paging else "",
        "some": "[skip : skip + limit]" if paging else "",
    }


def _fastapi(request: Request) -> list[str]:
    model = ["class {name}(BaseModel):", *(f"    {field.name}: {field.kind}" for field in request.fields)]
    store = "{entity}s: dict[int, {name}] = {{}}"
    return [_FASTAPI_HEAD, "\n".join(model), store, *(_FASTAPI[name] for name in _functions(request))]


def _flask(request: Request) -> list[str]:
    templates = _FLASK | ({"list": _FLASK_PAGE} if "paging" in request.options else {})
    reader = [_FLASK_READER] if _WITH_BODY & set(request.operations) else []
    return [_FLASK_HEAD, *reader, *(templates[name] for name in _functions(request))]


def _functions(request: Request) -> list[str]:
    return [*(["health"] if "health" in request.options else []), *request.operations]


def _fastapi_names(request: Request) -> list[str]:
    return ["FastAPI", *(["HTTPException"] if _ONE & set(request.operations) else [])]


def _flask_names(request: Request) -> list[str]:
    """What is imported from flask, in alphabetical order: no name that is not used."""
    aborts = bool((_ONE | _WITH_BODY) & set(request.operations))
    reads = bool(_WITH_BODY & set(request.operations)) or "paging" in request.options
    return ["Flask", *(["abort"] if aborts else []), "jsonify", *(["request"] if reads else [])]
