"""The program that answers a request: one file, the way the twin is taught to write it."""

from nbhelpers.twins.qwen2_coder.requests import Request

ALLOWED_IMPORTS = frozenset({"fastapi", "flask", "pydantic"})
_ONE = {"get", "update", "delete"}  # operations on one entity: they may not find it
_WITH_BODY = {"create", "update"}


def write_program(request: Request) -> str:
    """Python source of the service, ending in a newline; it keeps its entities in memory."""
    write = _fastapi if request.framework == "fastapi" else _flask
    return "\n\n\n".join(write(request)) + "\n"


def _fastapi(request: Request) -> list[str]:
    entity, name, prefix = request.entity, request.entity.capitalize(), _prefix(request)
    web = "FastAPI, HTTPException" if _ONE & set(request.operations) else "FastAPI"
    head = f"from fastapi import {web}\nfrom pydantic import BaseModel\n\napp = FastAPI()"
    fields = "".join(f"\n    {field.name}: {field.kind}" for field in request.fields)
    model = f"class {name}(BaseModel):{fields}"
    found = f"    if {entity}_id not in {entity}s:\n        raise HTTPException(404)\n"
    one = f"{prefix}/{entity}s/{{{entity}_id}}"
    limits = "limit: int = 20, skip: int = 0" if "paging" in request.options else ""
    some = "[skip : skip + limit]" if limits else ""
    bodies = {
        "list": f'@app.get("{prefix}/{entity}s")\ndef list_{entity}s({limits}) -> list[{name}]:\n'
        f"    return list({entity}s.values()){some}",
        "get": f'@app.get("{one}")\ndef get_{entity}({entity}_id: int) -> {name}:\n{found}'
        f"    return {entity}s[{entity}_id]",
        "create": f'@app.post("{prefix}/{entity}s")\ndef create_{entity}({entity}: {name}) -> int:\n'
        f"    {entity}_id = max({entity}s, default=0) + 1\n    {entity}s[{entity}_id] = {entity}\n"
        f"    return {entity}_id",
        "update": f'@app.put("{one}")\ndef update_{entity}({entity}_id: int, {entity}: {name}) -> {name}:\n'
        f"{found}    {entity}s[{entity}_id] = {entity}\n    return {entity}",
        "delete": f'@app.delete("{one}")\ndef delete_{entity}({entity}_id: int) -> {name}:\n{found}'
        f"    return {entity}s.pop({entity}_id)",
    }
    health = (
        ['@app.get("/health")\ndef health() -> bool:\n    return True'] if "health" in request.options else []
    )
    store = f"{entity}s: dict[int, {name}] = {{}}"
    return [head, model, store, *health, *(bodies[operation] for operation in request.operations)]


def _flask(request: Request) -> list[str]:
    entity, prefix = request.entity, _prefix(request)
    done = set(request.operations)
    web = ["Flask", *(["abort"] if done & (_ONE | _WITH_BODY) else [])]
    web += [*(["jsonify"]), *(["request"] if _needs_request(request) else [])]
    head = f"from flask import {', '.join(web)}\n\napp = Flask(__name__)\n{entity}s = {{}}"
    one = f"{prefix}/{entity}s/<int:{entity}_id>"
    found = f"    if {entity}_id not in {entity}s:\n        abort(404)\n"
    bodies = {
        "list": f'@app.get("{prefix}/{entity}s")\ndef list_{entity}s():\n{_flask_list(request)}',
        "get": f'@app.get("{one}")\ndef get_{entity}({entity}_id):\n{found}'
        f"    return jsonify({entity}s[{entity}_id])",
        "create": f'@app.post("{prefix}/{entity}s")\ndef create_{entity}():\n'
        f"    {entity}_id = max({entity}s, default=0) + 1\n    {entity}s[{entity}_id] = read_{entity}()\n"
        f"    return jsonify({entity}_id)",
        "update": f'@app.put("{one}")\ndef update_{entity}({entity}_id):\n{found}'
        f"    {entity}s[{entity}_id] = read_{entity}()\n    return jsonify({entity}s[{entity}_id])",
        "delete": f'@app.delete("{one}")\ndef delete_{entity}({entity}_id):\n{found}'
        f"    return jsonify({entity}s.pop({entity}_id))",
    }
    health = (
        ['@app.get("/health")\ndef health():\n    return jsonify(True)']
        if "health" in request.options
        else []
    )
    reader = [_flask_reader(request)] if done & _WITH_BODY else []
    return [head, *reader, *health, *(bodies[operation] for operation in request.operations)]


def _needs_request(request: Request) -> bool:
    return bool(_WITH_BODY & set(request.operations)) or "paging" in request.options


def _flask_list(request: Request) -> str:
    values = f"list({request.entity}s.values())"
    if "paging" not in request.options:
        return f"    return jsonify({values})"
    lines = [
        f'    {name} = request.args.get("{name}", {default}, int)'
        for name, default in (("limit", 20), ("skip", 0))
    ]
    return "\n".join([*lines, f"    return jsonify({values}[skip : skip + limit])"])


def _flask_reader(request: Request) -> str:
    fields = ", ".join(f'"{field.name}": {field.kind}' for field in request.fields)
    return (
        f"def read_{request.entity}():\n    data = request.get_json()\n    fields = {{{fields}}}\n"
        "    if set(data) != set(fields):\n        abort(400)\n"
        "    return {name: kind(data[name]) for name, kind in fields.items()}"
    )


def _prefix(request: Request) -> str:
    return "/api" if "api" in request.options else ""
