"""From the events of one step to the memory of a training that goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from nbhelpers.memory.dryrun.allocator import CachingAllocator
from nbhelpers.memory.dryrun.ledger import Ledger

# A plot shows no more points than this; each stands for the highest of its stretch.
_MOST_POINTS = 600


@dataclass(frozen=True)
class Replay:
    """What the events amount to.

    Attributes:
        allocated: highest sum of live storages, bytes.
        live: numbers of the storages that are live at that moment.
        phase: phase of that moment.
        timeline: (event index, live bytes), at most some hundreds of points, peaks kept.
        phases: (event index, name) on the same axis.
        events: the whole sequence that was replayed.
    """

    allocated: int
    live: tuple[int, ...]
    phase: str
    timeline: tuple[tuple[int, int], ...]
    phases: tuple[tuple[int, str], ...]
    events: tuple[int, ...]


def replay(ledger: Ledger) -> Replay:
    """Find the peak of a training that goes on: from its second step on the optimizer states are there."""
    events, phases = _steady(ledger)
    live = list(accumulate(_change(ledger, event) for event in events))
    top = max(range(len(live)), key=live.__getitem__)
    phase = next(name for start, name in reversed(phases) if start <= top)
    return Replay(live[top], _live_at(events, top), phase, tuple(_thin(live)), tuple(phases), tuple(events))


def _change(ledger: Ledger, event: int) -> int:
    """What an event adds; the second step's numbers are those of the first plus a multiple of the count."""
    return ledger.sizes[event] if event > 0 else -ledger.sizes[-event]


def _steady(ledger: Ledger) -> tuple[list[int], list[tuple[int, str]]]:
    """The events of the step that decides, after what is there before it.

    The second step of a training reads: weights, then the states the first one left, then the same events
    without making states again.
    """
    states = {n for n, label in ledger.labels.items() if label.kind == "optimizer"}
    start = ledger.phases[1][0]
    before, step = ledger.events[:start], ledger.events[start:]
    if not states:
        return list(ledger.events), list(ledger.phases)
    made = [event for event in step if event in states]
    phases = [ledger.phases[0], *((index + len(made), name) for index, name in ledger.phases[1:])]
    kept = [event for event in step if event not in states]
    shifted = _shift(phases, step, states, start + len(made), start)
    return [*before, *made, *kept], shifted


def _shift(
    phases: list[tuple[int, str]], step: Sequence[int], states: set[int], offset: int, start: int
) -> list[tuple[int, str]]:
    """Phase starts after the states' events were taken out of the step."""
    dropped = list(accumulate((event in states for event in step), initial=0))
    moved = []
    for index, name in phases[1:]:
        inside = min(index - offset, len(step))
        moved.append((index - dropped[inside], name))
    return [(0, phases[0][1]), *moved]


def _live_at(events: Sequence[int], top: int) -> tuple[int, ...]:
    live: dict[int, None] = {}
    for event in events[: top + 1]:
        if event > 0:
            live[event] = None
        else:
            live.pop(-event)
    return tuple(live)


def _thin(live: list[int]) -> Iterator[tuple[int, int]]:
    """At most `_MOST_POINTS` points, the highest of each stretch, the last one always."""
    stride = -(-len(live) // _MOST_POINTS)
    for begin in range(0, len(live), stride):
        index = max(range(begin, min(begin + stride, len(live))), key=live.__getitem__)
        yield index, live[index]
    yield len(live) - 1, live[-1]


def reserved_bytes(ledger: Ledger, workspaces: Sequence[int]) -> int:
    """What torch's CUDA allocator reserves over two steps, with the workspaces its libraries take from it.

    Two, because the states are made at the end of the first one, in the gaps it left.

    Args:
        ledger: of one step.
        workspaces: bytes of buffers that stay, such as cuBLAS's.
    """
    allocator = CachingAllocator()
    start = ledger.phases[1][0]
    _feed(allocator, ledger, ledger.events[:start])
    for index, size in enumerate(workspaces):
        allocator.allocate(-1 - index, size)
    step = ledger.events[start:]
    _feed(allocator, ledger, step)
    states = {n for n, label in ledger.labels.items() if label.kind == "optimizer"}
    if states:
        _feed(allocator, ledger, [event for event in step if event not in states])
    return allocator.reserved


def _feed(allocator: CachingAllocator, ledger: Ledger, events: Sequence[int]) -> None:
    for event in events:
        if event > 0:
            allocator.allocate(event, ledger.sizes[event])
        else:
            allocator.release(-event)
