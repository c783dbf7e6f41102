"""`nbhelpers run` and `nbhelpers report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import existing_file, existing_folder
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.notebooks.phase import Outcome
    from nbhelpers.notebooks.run import RunOutcome

ROOM = "Notebooks"
Runs = Annotated[
    Path | None,
    typer.Option("--runs", metavar="DIR", help="Folder of all runs; by default runs/ of the clone."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app, "run", ROOM, "run all --profile cpu --run-id nuts --data trainval.json --set distill.epochs=50"
    )
    def run(
        which: Annotated[
            list[str] | None,
            typer.Argument(metavar="NOTEBOOKS", help="all, or numbers or phases, such as 02 08."),
        ] = None,
        profile: Annotated[
            str, typer.Option(help="Settings for a kind of machine: cpu, t4, rtx3090, auto, or a YAML file.")
        ] = "auto",
        run_id: Annotated[str, typer.Option(help="Name of the run; called again, it resumes.")] = "default",
        parameter: Annotated[
            list[str] | None,
            typer.Option("-p", metavar="KEY=VALUE", help="A notebook's parameter; may repeat."),
        ] = None,
        setting: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="PHASE.KEY=VALUE", help="A setting, such as distill.epochs=50; may repeat."
            ),
        ] = None,
        data: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Your own COCO file in place of the drawn scenes.")
        ] = None,
        images: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of its images.")] = None,
        runs: Runs = None,
        notebooks: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Folder of the notebooks; by default those of the clone."),
        ] = None,
        max_minutes: Annotated[
            float | None, typer.Option(min=0, help="Stop cleanly after this time; a further call resumes.")
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Run phases again that are done.")] = False,
    ) -> Answer:
        """Run notebooks headless into runs/RUN_ID and end in its report page.

        Phases whose data, parameters, settings and code are unchanged since they were done are skipped.
        A phase that fails stops the run; the next call resumes there.
        """
        from nbhelpers.notebooks.plan import typed
        from nbhelpers.notebooks.run import run_notebooks

        outcome = run_notebooks(
            which or [],
            profile=profile,
            run_id=run_id,
            parameters=_with_data(typed(parameter or []), data, images),
            overrides=setting or [],
            runs=runs,
            notebooks=notebooks,
            force=force,
            max_minutes=max_minutes,
        )
        return _answer(outcome)

    @command(app, "report", ROOM, "report nuts")
    def report(
        run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
        runs: Runs = None,
    ) -> Answer:
        """Make the report page of a run again."""
        from nbhelpers.notebooks import runs_root
        from nbhelpers.notebooks.report import gather, write_report

        named = runs_root(runs) / run
        folder = named if named.is_dir() or not Path(run).is_dir() else Path(run).absolute()
        index = write_report(folder)
        phases = {p["name"]: p["state"] for p in gather(folder)["phases"]}
        return Answer(
            {"run": folder.name, "folder": str(folder), "index": str(index), "phases": phases}, str(index)
        )


def _with_data(parameters: dict[str, Any], data: Path | None, images: Path | None) -> dict[str, Any]:
    """Put `--data` and `--images` among the parameters."""
    if data is not None:
        existing_file(data, "--data")
    existing_folder(images, "--images")
    for name, path in (("data", data), ("images", images)):
        if path is not None and name in parameters:
            raise BadInput(f"--{name} and -p {name}= are both given; give one")
        if path is not None:
            parameters[name] = str(path)
    return parameters


def _answer(outcome: "RunOutcome") -> Answer:
    data = {
        "run": outcome.run_id,
        "folder": str(outcome.folder),
        "index": str(outcome.index),
        "phases": {phase.phase: _phase(phase) for phase in outcome.phases},
    }
    text = f"report: {outcome.index}"
    failed = outcome.failed
    if failed is not None and failed.failure is not None:
        code = 2 if failed.failure.kind == "bad input" else 1
        return Answer(data, text, code, f"{failed.phase}: {failed.failure.line()}")
    waiting = [phase.phase for phase in outcome.phases if phase.state == "waiting"]
    if waiting:
        return Answer(data, text, 1, f"the time was over before {', '.join(waiting)}; call again to resume")
    return Answer(data, text)


def _phase(phase: "Outcome") -> dict[str, Any]:
    failure = phase.failure
    return {
        "state": phase.state,
        "reason": phase.reason,
        "seconds": phase.seconds,
        "notebook": str(phase.notebook),
        "results": str(phase.results),
        "failure": failure
        and {"kind": failure.kind, "cell": failure.cell, "cause": failure.cause, "hint": failure.hint},
    }
