"""`nbhelpers twins`: the tiny stand-ins of the real models: list, train, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.output import Answer, command

if TYPE_CHECKING:
    from nbhelpers.twins.report import TwinReport

ROOM = "Twins"
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the twin, such as sam or tiny/sam.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""
    twins = typer.Typer(help="Tiny models of the real classes: list, train, evaluate.")
    app.add_typer(twins, name="twins", rich_help_panel=ROOM)

    @twins.callback(invoke_without_command=True)
    def help_alone(context: typer.Context) -> None:
        """Tiny models of the real classes: list, train, evaluate."""
        if context.invoked_subcommand is None:
            print(context.get_help())

    @command(twins, "list", ROOM, "twins list")
    def list_twins() -> Answer:
        """Show every twin: class, parameters, size, whether it is trained, and its scores."""
        from nbhelpers.twins import RECIPES, trained_twin

        return _list_answer({name: (RECIPES[name].model_class, trained_twin(name)) for name in RECIPES})

    @command(twins, "train", ROOM, "twins train sam")
    def train(
        name: Name,
        seed: Annotated[int, typer.Option(min=0, help="Of drawn data and weights.")] = 0,
        output: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Where the twin goes; checkpoints/tiny/NAME by default."),
        ] = None,
        fresh: Annotated[
            bool, typer.Option("--fresh", help="Forget what an earlier, unfinished call left.")
        ] = False,
    ) -> Answer:
        """Draw the data, train, evaluate, write weights and card; after a kill a second call goes on."""
        from nbhelpers.twins import train_twin

        return _answer(train_twin(name, output, seed, fresh=fresh))

    @command(twins, "evaluate", ROOM, "twins evaluate sam")
    def evaluate(
        name: Name,
        folder: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Of the twin; checkpoints/tiny/NAME by default.")
        ] = None,
        seed: Annotated[
            int | None, typer.Option(min=0, help="Of its training; the recorded one by default.")
        ] = None,
        write: Annotated[
            bool, typer.Option("--write", help="Bring evaluation.json and the card up to date.")
        ] = False,
    ) -> Answer:
        """Measure a trained twin on held-out drawn data; exit code 1 when a check is not met."""
        from nbhelpers.twins import evaluate_twin

        return _answer(evaluate_twin(name, folder, seed, write=write))


def _answer(report: "TwinReport") -> Answer:
    from nbhelpers.runtime import size_text, text_table
    from nbhelpers.twins.card import check_cells, metric_cells

    metrics = [[name, *metric_cells(metric)] for name, metric in report.evaluation.metrics.items()]
    checks = [[check.name, *check_cells(check)] for check in report.evaluation.checks]
    head = (
        f"tiny/{report.name}, {report.model_class}, {report.parameters:,} parameters, "
        f"{size_text(report.weight_bytes)}, trained in {report.processor_s / 60:.1f} processor minutes"
    )
    tables = [text_table(metrics, ("measure", "value", "interval", "n"))]
    if checks:
        tables.append(text_table(checks, ("check", "value", "bar", "met")))
    missed = [check.name for check in report.evaluation.checks if not check.ok]
    error = f"tiny/{report.name}: not met: {', '.join(missed)}" if missed else ""
    return Answer(report.to_dict(), "\n\n".join([head, *tables]), exit_code=int(bool(missed)), error=error)


def _list_answer(found: "dict[str, tuple[str, TwinReport | None]]") -> Answer:
    from nbhelpers.runtime import text_table

    data: list[dict[str, Any]] = [
        {
            "name": name,
            "model_class": kind,
            "trained": report is not None,
            **(report.to_dict() if report else {}),
        }
        for name, (kind, report) in found.items()
    ]
    rows = [[f"tiny/{name}", kind, *_cells(report)] for name, (kind, report) in found.items()]
    header = ("twin", "class", "parameters", "size", "trained", "checks met", "scores")
    return Answer({"twins": data}, text_table(rows, header))


def _cells(report: "TwinReport | None") -> list[str]:
    from nbhelpers.runtime import size_text
    from nbhelpers.twins.card import check_cells

    if report is None:
        return ["", "", "no", "", ""]
    checks = report.evaluation.checks
    scores = ", ".join(f"{check.name} {check_cells(check)[0]}" for check in checks)
    met = f"{sum(check.ok for check in checks)} of {len(checks)}"
    return [f"{report.parameters:,}", size_text(report.weight_bytes), "yes", met, scores]
