"""Commands of adversarial patches: make one, and score one from its file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, Output, device_for, existing_file
from nbhelpers.cli.output import Answer, command, paths

if TYPE_CHECKING:
    from nbhelpers.attack import Optimised, Scores, Sheet, Victim
    from nbhelpers.data.pictures import PicturePart, PictureSet
    from nbhelpers.settings import AttackSection, Settings

ROOM = "Attack"
_Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="attack.KEY=VALUE", help="Any other setting.")
]
_Model = Annotated[str | None, typer.Option(metavar="NAME", help="Model instead of the profile's choice.")]
_Images = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="Photographs; without them scenes are drawn.")
]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="FILE", help="COCO JSON whose images are taken instead.")
]
_Questions = Annotated[
    Path | None, typer.Option("--questions", metavar="FILE", help="YAML of questions by family and part.")
]
_Profile = Annotated[str, typer.Option(help="Where all other settings come from.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app, "attack", ROOM,
        'attack --model tiny/gemma-3 --target "blue wheel" --share 0.08 --steps 200 --output patch',
    )  # fmt: skip
    def attack(
        output: Output,
        target: Annotated[
            str | None,
            typer.Option(metavar="TEXT", help="Answer to be provoked; without it any but the right one."),
        ] = None,
        model: _Model = None,
        images: _Images = None,
        data: _Data = None,
        questions: _Questions = None,
        share: Annotated[float | None, typer.Option(help="Of the picture's area, 0 to 0.5.")] = None,
        steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
        max_minutes: Annotated[
            float | None, typer.Option(help="Optimising stops cleanly after it, with a checkpoint.")
        ] = None,
        profile: _Profile = "auto",
        setting: _Settings = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Optimise a patch against a model one may test; a second call goes on, or returns at once.

        Left in the folder: patch.png, patch.json, growth/, results.json, and the print sheet as PNG and PDF.
        The scores are those of the file, on pictures and questions it was not made with.
        """
        from nbhelpers.attack import optimise

        given = {"model": model, "share": share, "steps": steps, "max_minutes": max_minutes}
        settings = _settings(profile, setting, given)
        victim, own = _victim(settings, gpu)
        found = _pictures(images, data, questions, own, victim)
        train, val = (_part(found, name, own, victim) for name in ("train", "val"))
        made = optimise(victim, train, val, own, output, target=target, say=_say)
        scores = _scores(victim, made.png, found, own, target)
        return _made(made, scores, _sheet(made, own, output), victim, output)

    @command(app, "attack-eval", ROOM, "attack-eval patch/patch.png --model tiny/gemma-3 --defences")
    def attack_eval(
        patch: Annotated[Path, typer.Argument(metavar="PATCH.png", help="File that `attack` wrote.")],
        target: Annotated[
            str | None,
            typer.Option(metavar="TEXT", help="Answer that counts; the patch's own without it."),
        ] = None,
        model: _Model = None,
        images: _Images = None,
        data: _Data = None,
        questions: _Questions = None,
        share: Annotated[float | None, typer.Option(help="The patch's own without it.")] = None,
        part: Annotated[str, typer.Option(help="Part of the pictures it is scored on.")] = "test",
        defences: Annotated[bool, typer.Option("--defences", help="Score behind each defence too.")] = False,
        output: Annotated[
            Path | None, typer.Option("--output", metavar="FILE", help="JSON with every answer.")
        ] = None,
        profile: _Profile = "auto",
        setting: _Settings = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Score a patch from its file, beside controls that any sticker of its size must beat."""
        beside = _beside(existing_file(patch, "PATCH.png"))
        settings = _settings(
            profile, [*beside["overrides"], *(setting or [])], {"model": model, "share": share}
        )
        wanted = target or beside["target"]
        victim, own = _victim(settings, gpu)
        found = _pictures(images, data, questions, own, victim)
        scores = _scores(victim, patch, found, own, wanted, part, keep=defences)
        behind = _behind(victim, scores, wanted, own) if defences else {}
        return _scored(scores, behind, victim, patch, output)


def _settings(profile: str, overrides: list[str] | None, given: dict[str, Any]) -> "Settings":
    from nbhelpers.settings import load_settings

    named = [f"attack.{key}={value}" for key, value in given.items() if value is not None]
    return load_settings(profile, [*(overrides or []), *named])


def _victim(settings: "Settings", gpu: int | None) -> "tuple[Victim, AttackSection]":
    from nbhelpers.attack import Victim, load_victim

    loaded, own = load_victim(settings.attack, profile=settings.built_in, device=device_for(gpu), say=_say)
    return Victim(loaded, own.new_tokens, own.ask_batch), own


def _pictures(
    images: Path | None, data: Path | None, questions: Path | None, own: "AttackSection", victim: "Victim"
) -> "PictureSet":
    from nbhelpers.data.pictures import pictures_or_default

    found = pictures_or_default(images, own, victim.family, coco=data, questions=questions)
    _say(found.describe())
    for line in found.left_out:
        _say(f"left out: {line}")
    return found


def _part(found: "PictureSet", name: str, own: "AttackSection", victim: "Victim") -> "PicturePart":
    from nbhelpers.attack import with_room

    return with_room(found.part(name), own, victim, _say)


def _scores(
    victim: "Victim",
    patch: Path,
    found: "PictureSet",
    own: "AttackSection",
    target: str | None,
    part: str = "test",
    *,
    keep: bool = False,
) -> "Scores":
    from nbhelpers.attack import Goal, evaluate, judging_lay, questions_of

    asked = questions_of(_part(found, part, own, victim), own.test_pictures, own.seed)
    lay = judging_lay(own, victim)
    return evaluate(victim, patch, asked, Goal(target, own.match), lay, start=own.start, keep=keep)


def _sheet(made: "Optimised", own: "AttackSection", output: Path) -> "Sheet":
    from nbhelpers.attack import print_sheet

    title = f"provokes: {made.target}" if made.target else "provokes any answer but the right one"
    return print_sheet(
        made.png,
        output,
        width_mm=own.print_mm,
        dpi=own.print_dpi,
        mark=made.settings_hash,
        title=title,
        shape=own.shape,
    )


def _beside(patch: Path) -> dict[str, Any]:
    """Target and settings of the folder a patch lies in; nothing where it was moved."""
    from nbhelpers.artifacts import read_json, to_json

    path = patch.parent / "inputs.json"
    if not path.is_file():
        return {"target": None, "overrides": []}
    kept = read_json(path)
    own = ("share", "count", "shape", "picture_px", "tasks", "match", "pictures", "world", "avoid", "split",
           "seed", "start", "eot", "model")  # fmt: skip
    overrides = [f"attack.{key}={to_json(kept['settings'][key], None)}" for key in own]
    return {"target": kept["target"], "overrides": overrides}


def _behind(victim: "Victim", scores: "Scores", target: str | None, own: "AttackSection") -> dict[str, Any]:
    from nbhelpers.attack import Goal, defend

    return defend(
        victim, scores.questions, scores.shown["patch"], scores.shown["clean"], Goal(target, own.match)
    )


def _table(scores: "Scores") -> str:
    from nbhelpers.runtime import text_table

    rows = [
        (row["sticker"], f"{row['success']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}", str(row["n"]))
        for row in scores.rows()
    ]
    net = scores.net
    line = f"net of {net.control}: {net.value:.3f} ({net.low:.3f} to {net.high:.3f}), n {net.n}"
    return text_table(rows, ("sticker", "success", "95 %", "n")) + "\n\n" + line


def _made(made: "Optimised", scores: "Scores", sheet: "Sheet", victim: "Victim", output: Path) -> Answer:
    from nbhelpers.artifacts import write_json

    data = {
        "model": victim.loaded.name, "target": made.target, "steps": made.steps, "stopped": made.stopped,
        "seconds": made.seconds, "resumed_from": made.resumed_from, "settings_hash": made.settings_hash,
        "weights": made.weights_after, "predicted_bytes": made.predicted_bytes, "peak_bytes": made.peak_bytes,
        "scores": scores.rows(), "net": vars(scores.net), "print": vars(sheet),
    }  # fmt: skip
    write_json(output / "results.json", data)
    text = (
        f"{victim.loaded.name}: {made.steps} steps in {made.seconds:.0f} s, ended by {made.stopped}; weights "
        f"unchanged ({made.weights_after[:12]})\n\n{_table(scores)}\n\n{made.png}\n{sheet.pdf}"
    )
    return Answer({**data, "paths": paths(patch=made.png, sheet=sheet.pdf, folder=output)}, text)


def _scored(
    scores: "Scores", behind: dict[str, Any], victim: "Victim", patch: Path, output: Path | None
) -> Answer:
    from nbhelpers.artifacts import write_json
    from nbhelpers.runtime import text_table

    data: dict[str, Any] = {"model": victim.loaded.name, "scores": scores.rows(), "net": vars(scores.net)}
    data["defences"] = {name: vars(one) for name, one in behind.items()}
    text = _table(scores)
    if behind:
        rows = [
            (name, f"{one.success.value:.3f}", f"{one.right.value:.3f}", f"{one.clean.value:.3f}")
            for name, one in behind.items()
        ]
        text += "\n\n" + text_table(rows, ("behind", "success", "right with patch", "right without"))
    if output is not None:
        asked = [(q.picture.name, q.prompt.text, q.right) for q in scores.questions]
        write_json(output, {**data, "patch": patch.name, "questions": asked, "answers": scores.answers})
    return Answer({**data, "paths": paths(patch=patch, answers=output)}, text)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
