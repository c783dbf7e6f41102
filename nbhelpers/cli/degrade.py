"""`nbhelpers degrade` and `nbhelpers degrade-results`: lesion studies of language models."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbhelpers.cli.options import Gpu, Output, device_for
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.degrade import DoseFit

ROOM = "Lesion studies"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "degrade", ROOM, "degrade --config dreams_it --output lesions")
    def degrade(
        output: Output,
        config: Annotated[
            str | None,
            typer.Option(
                metavar="NAME|FILE", help="dreams_it, iq_it, cookie_theft_it, drawn_it, or a YAML file."
            ),
        ] = None,
        model: Annotated[
            str | None, typer.Option(metavar="NAME", help="Model instead of the profile's choice.")
        ] = None,
        language: Annotated[
            list[str] | None, typer.Option(help="en or it; may be given twice for both.")
        ] = None,
        target: Annotated[
            list[str] | None,
            typer.Option(metavar="GROUP", help="Weights to damage, such as mlp_only or attn_only@0-7#2."),
        ] = None,
        method: Annotated[list[str] | None, typer.Option(help="mult_gauss, ablation or uni_quant.")] = None,
        jobs: Annotated[int, typer.Option(min=1, help="Processes, each with a model of its own.")] = 1,
        resume: Annotated[
            bool, typer.Option("--resume/--no-resume", help="Go on with what is there, or begin anew.")
        ] = True,
        max_minutes: Annotated[
            float | None, typer.Option(help="Stops cleanly after it; the same command goes on.")
        ] = None,
        profile: Annotated[str, typer.Option(help="Where all other settings come from.")] = "auto",
        setting: Annotated[
            list[str] | None, typer.Option("--set", metavar="degrade.KEY=VALUE", help="Any other setting.")
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Damage chosen weights of a language model level by level, and keep what it writes.

        Left in the folder: records.jsonl, summary.json, manifest.json, timings.jsonl. A killed run goes on
        where it was and ends in the same records.
        """
        from nbhelpers.degrade import run_experiment
        from nbhelpers.settings import load_settings

        given = {"config": config, "model": model, "max_minutes": max_minutes}
        lists = {"languages": language, "targets": target, "methods": method}
        named = [f"degrade.{key}={value}" for key, value in given.items() if value is not None]
        named += [f"degrade.{key}={_listed(values)}" for key, values in lists.items() if values]
        settings = load_settings(profile, [*(setting or []), *named])
        outcome = run_experiment(
            settings.degrade.config, settings.degrade, output, profile=settings.built_in,
            device=device_for(gpu), jobs=jobs, resume=resume, say=_say,
        )  # fmt: skip
        said = f"{outcome.done} of {outcome.total} lesions of {outcome.model} are in {output}"
        stopped = f"\nstopped: {outcome.reason}; the same command goes on" if outcome.reason else ""
        data = {**vars(outcome), "paths": paths(folder=output)}
        return Answer(data, said + stopped)

    @command(app, "degrade-results", ROOM, "degrade-results --results lesions")
    def degrade_results(
        results: Annotated[Path, typer.Option(metavar="DIR", help="Folder that degrade wrote.")],
        measure: Annotated[str, typer.Option(help="perplexity, exact or units_share.")] = "perplexity",
        draws: Annotated[int, typer.Option(min=1, help="Bootstrap samples of the intervals.")] = 400,
    ) -> Answer:
        """Read the records of a lesion study: the level of half loss by method and group, with intervals."""
        from nbhelpers.degrade import fit_all, lines_of, read_results

        found = read_results(results)
        if not found.lines:
            raise BadInput(f"{results}: has no lesions yet")
        lines = lines_of(found) + lines_of(found, controls=True)
        fits = fit_all([found.curve(*line, measure) for line in lines], draws)
        return Answer({"fits": fits, "summary": found.summary()}, _fits_text(fits))


def _listed(values: list[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


def _fits_text(fits: "list[DoseFit]") -> str:
    from nbhelpers.runtime import text_table

    rows = [
        (one.method, one.group, _level(one.ed50), f"{_level(one.low)} to {_level(one.high)}",
         f"{one.effect:.0%}", f"{one.rho:.2f}", f"{one.levels} x {one.repeats}", str(one.items))
        for one in fits
    ]  # fmt: skip
    head = ("method", "group", "half lost at", "95 % interval", "most lost", "rho", "levels", "items")
    return text_table(rows, head)


def _level(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
