"""The command line: every room as a command, for people and, with `--json`, for scripts."""

from nbhelpers.cli.app import main

__all__ = ["main"]
