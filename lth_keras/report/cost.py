"""What a search cost, and what it took to come to one of its tickets."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lth_keras.report.summary import TICKET, Row

_NAMED = re.compile(r'replicate (\d+) round (\d+) (\S+?)(?: draw (\d+))?')
PARTS = ('steps', 'evaluation')


@dataclasses.dataclass(frozen=True)
class Cost:
    """Trainings, optimizer steps, and seconds where they were measured.

    Attributes:
        trainings: how many there are records of.
        steps: of all of them; a training that starts at a rewind step k takes k fewer.
        dense: the same in trainings of the dense network: steps / steps of one.
        seconds: of those trainings whose time is known.
        timed: how many those are.
    """

    trainings: int
    steps: int
    dense: float
    seconds: float
    timed: int


@dataclasses.dataclass(frozen=True)
class Timing:
    """The time of one training, in seconds.

    Attributes:
        replicate, round, variant, draw: which training.
        total: wall time.
        parts: of it, the time in optimizer steps and in evaluation; empty if not measured.
    """

    replicate: int
    round: int
    variant: str
    draw: int
    total: float
    parts: Mapping[str, float]


def cost(rows: Sequence[Row], timings: Iterable[Timing] = ()) -> Cost:
    """The cost of the trainings in these rows.

    >>> row = dict(replicate=0, variant='ticket', draw=0, training_steps=1000, rewind_step=100)
    >>> cost([{**row, 'round': 0}, {**row, 'round': 1}],
    ...      [Timing(0, 1, 'ticket', 0, 2.5, {})])
    Cost(trainings=2, steps=1900, dense=1.9, seconds=2.5, timed=1)
    """
    there = {(r['replicate'], r['round'], r['variant'], r.get('draw', 0)) for r in rows}
    known = [t for t in timings if (t.replicate, t.round, t.variant, t.draw) in there]
    steps = sum(_steps(row) for row in rows)
    one = max((row.get('training_steps', 0) for row in rows), default=0)
    seconds = sum(t.total for t in known)
    return Cost(len(rows), steps, steps / one if one else 0.0, seconds, len(known))


def on_the_way(rows: Sequence[Row], round_: int, one_shot: bool = False) -> list[Row]:
    """The trainings that one replicate needs to come to its trained ticket of a round.

    The dense network, then every round up to this one; with one-shot pruning only this one.
    """
    tickets = [row for row in rows if row['variant'] == TICKET]
    first = min((row['replicate'] for row in tickets if row['round'] == round_), default=None)
    numbers = {0, round_} if one_shot else set(range(round_ + 1))
    return [row for row in tickets if row['replicate'] == first and row['round'] in numbers]


def read_timings(content: Mapping[str, Any]) -> list[Timing]:
    """The trainings in a `timings.json`; what is not a training's time is left out.

    >>> read_timings({'replicate 0 round 2 reinit draw 1': {'total': 3.0, 'steps': 2.0},
    ...               'other': 1.0, 'replicate 1 round 0 ticket': 2.0})
    [Timing(replicate=0, round=2, variant='reinit', draw=1, total=3.0, parts={'steps': 2.0}), \
Timing(replicate=1, round=0, variant='ticket', draw=0, total=2.0, parts={})]
    """
    found = []
    for name, entry in content.items():
        match = _NAMED.fullmatch(name)
        parts = entry if isinstance(entry, Mapping) else {'total': entry}
        total = parts.get('total')
        if not match or not _seconds(total):
            continue
        replicate, number, variant, draw = match.groups()
        known = {key: float(parts[key]) for key in PARTS if _seconds(parts.get(key))}
        found.append(
            Timing(int(replicate), int(number), variant, int(draw or 0), float(total), known)
        )
    return found


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _steps(row: Row) -> int:
    begin = row.get('rewind_step', 0) if row['round'] else 0
    return int(row.get('training_steps', 0)) - int(begin)
