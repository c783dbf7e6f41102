"""`nbhelpers doctor`: is this machine ready?"""

import typer

from nbhelpers.cli.output import Answer, command

ROOM = "Machine"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "doctor", ROOM, "doctor --json")
    def doctor() -> Answer:
        """Look at the machine and at the installed libraries, and say what is missing."""
        from nbhelpers import runtime

        found = runtime.doctor()
        wrong = [row.item for row in found.rows() if row.mark == "[FAIL]"]
        error = f"not in order: {', '.join(wrong)}" if wrong else ""
        return Answer(found.to_dict(), found.table(), 1 if wrong else 0, error)
