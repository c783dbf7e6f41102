"""What a written program is, read from its syntax tree without running it."""

import ast
import re

_METHODS = {"get", "post", "put", "patch", "delete"}
_FLASK_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None where the source is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def compiles(tree: ast.Module) -> bool:
    """Whether the tree compiles: finds what the grammar allows and the compiler refuses, nothing is run."""
    try:
        compile(tree, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def routes_of(tree: ast.Module) -> list[tuple[str, str]]:
    """Method and path of each decorated function, in order, such as ("GET", "/books/{book_id}").

    Read from decorators `@app.get("/path")` of functions at the top level; Flask's `<int:name>` is written
    `{name}`. A path that is no plain string is left out.
    """
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [_route(decorator) for function in functions for decorator in function.decorator_list]
    return [route for route in found if route is not None]


def _route(decorator: ast.expr) -> tuple[str, str] | None:
    match decorator:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="app"), attr=method),
            args=[ast.Constant(value=str(path)), *_],
        ) if method in _METHODS:
            return method.upper(), _FLASK_PARAMETER.sub(r"{\1}", path)
    return None


def imported(tree: ast.Module) -> set[str]:
    """Names of the top-level packages a program imports anywhere; a relative import gives "."."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0] if not node.level else ".")
    return names


def fields_of(tree: ast.Module) -> dict[str, str] | None:
    """Field names and types a service states, in order; None where it states none.

    Read from the annotations of its first class, or else from a dictionary called `fields` of names to types.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            lines = [line for line in node.body if isinstance(line, ast.AnnAssign)]
            return {ast.unparse(line.target): ast.unparse(line.annotation) for line in lines}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="fields")], value=ast.Dict(keys=keys, values=values)):
                names = [key.value for key in keys if isinstance(key, ast.Constant)]
                return dict(zip(map(str, names), map(ast.unparse, values), strict=False))
    return None
