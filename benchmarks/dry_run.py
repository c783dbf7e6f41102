"""Dry runs beside real steps: predicted and measured peak of models of up to about 1 GB on this CPU.

    python benchmarks/dry_run.py [CASE ...] [--json]

Each case (`nbhelpers.models.comparing.CASES`) is a catalogue architecture cut down to a size a small machine
holds, with random weights, or a twin. The real step runs in a process of its own on one thread; its peak is
resident memory above what the process had after its imports. Printed: both, the error, what
`accelerate estimate-memory` says (the weights; for tune and full a training with Adam), and the dry run's
processor time.
"""

import argparse
import json
from dataclasses import asdict

from nbhelpers.models.comparing import CASES, compare_steps
from nbhelpers.runtime import text_table

MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = compare_steps(given.cases)
    if given.json:
        print(json.dumps([asdict(one) | {"error": one.error} for one in found]))
        return
    rows = [
        (
            one.name,
            f"{one.predicted / MIB:.0f}",
            f"{one.measured / MIB:.0f}",
            f"{one.error:+.1%}",
            f"{one.accelerate / MIB:.0f}",
            f"{one.seconds:.1f}",
        )
        for one in found
    ]
    print(text_table(rows, ("case", "predicted MiB", "measured MiB", "error", "accelerate MiB", "dry run s")))


if __name__ == "__main__":
    main()
