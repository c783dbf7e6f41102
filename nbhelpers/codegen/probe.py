"""What runs inside the contained child: `python -I probe.py WHAT ...`, in the program's folder.

It stands alone, with nothing but the standard library and what the program itself uses.

- `parse FILE...`: JSON on standard output: per file the first thing that is no Python, or null; nothing is
  run.
- `import MODULE`: imports it, then writes back the word it was given on standard input.
- `run FILE ARGUMENT...`: runs a script as the main program.
- `measure FILE...`: JSON: functions and classes, how many say what they are for, how many state all types.
- `exec FILE SECONDS`: runs a program of human-eval, then writes back the word it was given on standard input.
- `serve MODULE SOCKET`: serves its `app`, ASGI or WSGI, on a Unix socket.
"""

import ast
import importlib
import inspect
import json
import os
import runpy
import signal
import sys
import warnings


def parse(*files: str) -> None:
    """Say of each file whether it parses and compiles."""
    warnings.simplefilter("ignore")  # a stray backslash is the linter's business
    read = {name: {"parses": _parses(name), "compiles": _compiles(name)} for name in files}
    good = [name for name in files if not read[name]["parses"]]
    print(json.dumps({"files": read, "imports": sorted(set().union(*map(_imports, good)))}))


def _imports(name: str) -> "set[str]":
    """Names of the packages that a file imports anywhere."""
    with open(name, "rb") as file:
        tree = ast.parse(file.read(), name)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def _parses(name: str) -> "str | None":
    try:
        with open(name, "rb") as file:
            ast.parse(file.read(), name)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return f"{name}:{getattr(error, 'lineno', None) or 0}: {error.args[0] if error.args else error!r}"
    return None


def _compiles(name: str) -> "str | None":
    try:
        with open(name, "rb") as file:
            compile(file.read(), name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return f"{name}:{getattr(error, 'lineno', None) or 0}: {error.args[0] if error.args else error!r}"
    return None


def measure(*files: str) -> None:
    """Count, without running anything, what is documented and what is typed."""
    found = {"places": 0, "documented": 0, "functions": 0, "typed": 0}
    for name in files:
        with open(name, "rb") as file:
            tree = ast.parse(file.read(), name)
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in (node for node in ast.walk(tree) if isinstance(node, kinds)):
            if not getattr(node, "name", "").startswith("__"):  # the class says what they are for
                found["places"] += 1
                found["documented"] += ast.get_docstring(node) is not None
            if not isinstance(node, (ast.Module, ast.ClassDef)):
                found["functions"] += 1
                found["typed"] += _typed(node)
    print(json.dumps(found))


def _typed(node: "ast.FunctionDef | ast.AsyncFunctionDef") -> bool:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    given += [one for one in (node.args.vararg, node.args.kwarg) if one is not None]
    named = [one for one in given if one.arg not in {"self", "cls"}]
    return node.returns is not None and all(one.annotation is not None for one in named)


def execute(file: str, seconds: str) -> None:
    """Run a program of human-eval against the clock; only one that reaches its end proves it."""
    word = sys.stdin.readline().strip()
    with open(file, encoding="utf-8") as text:
        program = compile(text.read(), file, "exec")
    signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    try:
        exec(program, {"__name__": "human_eval"})
    except TimeoutError as late:
        print("\ntimed out", late, file=sys.stderr)
        sys.exit(3)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(f"\n{word}", flush=True)


def _late(number: int, frame: object) -> None:
    raise TimeoutError("by the clock")


def import_module(name: str) -> None:
    """Import a module, then prove that this line was reached."""
    word = sys.stdin.readline().strip()
    importlib.import_module(name)
    print(f"\n{word}", flush=True)


def run(file: str, *arguments: str) -> None:
    """Run a script."""
    sys.argv = [file, *arguments]
    runpy.run_path(file, run_name="__main__")


def pytest(*arguments: str) -> None:
    """Run the tests that lie here."""
    import pytest as runner

    sys.exit(runner.main(list(arguments)))


def serve(module: str, socket: str) -> None:
    """Serve the `app` of a module until killed."""
    app = importlib.import_module(module).app
    if os.path.isfile("manage.py"):
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
    if inspect.iscoroutinefunction(getattr(type(app), "__call__", None)):  # noqa: B004 (which kind of call)
        import uvicorn

        uvicorn.run(app, uds=socket, log_level="warning", lifespan="auto")
    else:
        from werkzeug.serving import make_server

        make_server(f"unix://{os.path.abspath(socket)}", 0, app, threaded=True).serve_forever()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    what, *rest = sys.argv[1:]
    known: dict = {"parse": parse, "import": import_module, "run": run, "pytest": pytest, "serve": serve}
    {**known, "measure": measure, "exec": execute}[what](*rest)
