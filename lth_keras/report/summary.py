"""Records of single trainings -> one summary per round and variant, with the verdicts."""

import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lth_keras import errors, verdict
from lth_keras.verdict import Verdict

TICKET = 'ticket'
REINIT = 'reinit'  # the control that the verdict's third claim is about

Row = Mapping[str, Any]
Cell = dict[int, dict[str, float]]  # replicate -> the mean of its rows

_FRACTIONS = ('density', 'validation_accuracy', 'test_accuracy', 'final_test_accuracy')
_NUMBERS = (*_FRACTIONS, 'early_stop_step', 'validation_loss')


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number over replicates: mean, ends of the 95% t-interval, minimum and maximum.

    >>> measure = Measure.of([1.0, 2.0, 3.0])
    >>> print(f'{measure.mean:.1f} ± {measure.half_width:.3f}', measure.minimum, measure.maximum)
    2.0 ± 2.484 1.0 3.0
    >>> Measure.of([1.0]).half_width is None
    True
    """

    mean: float
    low: float | None
    high: float | None
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Measure':
        """The measure of one value per replicate."""
        return cls(*verdict.interval(values), min(values), max(values))

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval, the number after ±; None with one replicate."""
        return None if self.low is None else (self.high - self.low) / 2


@dataclasses.dataclass(frozen=True)
class Summary:
    """All trainings of one variant in one round.

    Attributes:
        round: r = trained under the mask of r prunings; 0 = dense.
        variant: 'ticket', or the name of a control.
        replicates: number of seeds; the draws of a control are averaged within each.
        trainings: number of trainings, draws counted.
        density: mean kept share over the pruned kernels, in [0, 1].
        test_accuracy: at the early-stop iteration.
        early_stop_step: the early-stop iteration.
        final_test_accuracy: after the last step.
        verdict: of tickets of round > 0, else None.
        note: what is missing, else ''.
    """

    round: int
    variant: str
    replicates: int
    trainings: int
    density: float
    test_accuracy: Measure
    early_stop_step: Measure
    final_test_accuracy: Measure
    verdict: Verdict | None = None
    note: str = ''


def summarise(rows: Iterable[Row], margin: float = verdict.MARGIN) -> list[Summary]:
    """One summary per (round, variant), sorted by round, the ticket before its controls.

    Verdicts pair by replicate; only replicates that ticket, dense network and random
    re-initialisation all have are paired, and missing ones are named in `Summary.note`.

    Args:
        rows: records of trainings.
        margin: accuracy a winning ticket may lose, in [0, 1).

    Raises:
        LotteryError: a missing or not finite number, a percentage, or one training twice.

    >>> row = dict(variant='ticket', draw=0, density=1.0, validation_accuracy=0.9,
    ...            validation_loss=0.3, test_accuracy=0.8, final_test_accuracy=0.75,
    ...            early_stop_step=100)
    >>> rows = [{**row, 'replicate': 0, 'round': 0}, {**row, 'replicate': 1, 'round': 0},
    ...         {**row, 'replicate': 0, 'round': 1, 'density': 0.8}]
    >>> for s in summarise(rows):
    ...     print(s.round, s.replicates, s.density, s.test_accuracy.mean, s.note or '-', s.verdict)
    0 2 1.0 0.8 - None
    1 1 0.8 0.8 missing replicate 1 undecided: one replicate: no confidence interval

    Frankle and Carbin, "The Lottery Ticket Hypothesis" (2019), figure 1.
    """
    rows = list(rows)
    # Rows that do not say what was rewound are older than any other choice than all of it.
    rewinds = all('weights' in row.get('rewound', 'weights') for row in rows if row.get('round'))
    table = averaged(rows)
    everyone = {replicate for cell in table.values() for replicate in cell}
    summaries = []
    for round_, variant in sorted(table, key=lambda key: (key[0], key[1] != TICKET, key[1])):
        cell = table[round_, variant]
        notes = _gaps(cell, everyone)
        decided = None
        if variant == TICKET and round_ > 0:
            reinit = table.get((round_, REINIT))
            decided, paired = _judge(cell, table.get((0, TICKET)), reinit, margin, rewinds)
            if paired != set(cell):
                notes.append(f'verdict over {_named(paired) if paired else "no replicate"}')
        averages = [cell[replicate] for replicate in sorted(cell)]
        summaries.append(
            Summary(
                round=round_,
                variant=variant,
                replicates=len(cell),
                trainings=sum(int(a['draws']) for a in averages),
                density=math.fsum(a['density'] for a in averages) / len(averages),
                test_accuracy=Measure.of([a['test_accuracy'] for a in averages]),
                early_stop_step=Measure.of([a['early_stop_step'] for a in averages]),
                final_test_accuracy=Measure.of([a['final_test_accuracy'] for a in averages]),
                verdict=decided,
                note='; '.join(notes),
            )
        )
    return summaries


def order(variants: Iterable[str]) -> list[str]:
    """Ticket, random re-initialisation, then the other controls by name: as they are shown.

    >>> order({'random_mask', 'reinit', 'ticket'})
    ['ticket', 'reinit', 'random_mask']
    """
    return sorted(set(variants), key=lambda v: (v != TICKET, v != REINIT, v))


def low_to_high(counts: Iterable[int], joint: str = ' to ') -> str:
    """Several counts as a reader is told them.

    >>> low_to_high([5, 5]), low_to_high([2, 5]), low_to_high([2, 5], '-')
    ('5', '2 to 5', '2-5')
    """
    found = sorted(set(counts))
    return f'{found[0]}' if len(found) == 1 else f'{found[0]}{joint}{found[-1]}'


def averaged(rows: Iterable[Row]) -> dict[tuple[int, str], Cell]:
    """{(round, variant): {replicate: numbers averaged over draws, and 'draws'}}; checks rows."""
    groups: dict[tuple[int, str], dict[int, dict[int, Row]]] = {}
    for row in rows:
        absent = {'round', 'variant', 'replicate'} - set(row)
        if absent:
            raise errors.LotteryError(f'expected {sorted(absent)} in a record, received {row}')
        round_, variant, replicate = row['round'], row['variant'], row['replicate']
        draw = row.get('draw', 0)
        where = f'replicate {replicate}, round {round_}, {variant}, draw {draw}'
        _check(row, where)
        draws = groups.setdefault((round_, variant), {}).setdefault(replicate, {})
        if draw in draws:
            raise errors.LotteryError(f'expected each training once, received {where} twice')
        draws[draw] = row
    return {
        key: {replicate: _mean(list(draws.values())) for replicate, draws in cell.items()}
        for key, cell in groups.items()
    }


def _mean(rows: list[Row]) -> dict[str, float]:
    means = {key: math.fsum(row[key] for row in rows) / len(rows) for key in _NUMBERS}
    return {**means, 'draws': len(rows)}


def _check(row: Row, where: str) -> None:
    for key in _NUMBERS:
        value = row.get(key)
        if not isinstance(value, numbers.Real) or not math.isfinite(float(value)):
            raise errors.LotteryError(f'expected a finite {key} of {where}, received {value!r}')
        if key in _FRACTIONS and not 0 <= float(value) <= 1:
            raise errors.LotteryError(f'expected {key} of {where} in [0, 1], received {value!r}')


def _judge(
    cell: Cell, dense: Cell | None, reinit: Cell | None, margin: float, rewinds: bool
) -> tuple[Verdict, set[int]]:
    """The verdict and the replicates it is over."""
    if not rewinds:
        return Verdict(verdict.UNDECIDED, 'weights are not rewound: no lottery ticket'), set(cell)
    if dense is None:
        return Verdict(verdict.UNDECIDED, 'no dense network (round 0) to compare with'), set()
    paired = set(cell) & set(dense)
    if reinit is not None:
        paired &= set(reinit)
    if not paired:
        return Verdict(verdict.UNDECIDED, 'no replicate has every training to compare'), set()

    def column(side: Cell | None, key: str) -> list[float] | None:
        return None if side is None else [side[r][key] for r in sorted(paired)]

    accuracy = [column(side, 'test_accuracy') for side in (cell, dense, reinit)]
    steps = [column(side, 'early_stop_step') for side in (cell, dense, reinit)]
    decided = verdict.judge(
        accuracy[0], accuracy[1], steps[0], steps[1], accuracy[2], steps[2], margin=margin
    )
    return decided, paired


def _gaps(cell: Cell, everyone: set[int]) -> list[str]:
    """What this cell lacks beside the others: replicates, or draws of some replicate."""
    notes = []
    if everyone - set(cell):
        notes.append(f'missing {_named(everyone - set(cell))}')
    most = max(average['draws'] for average in cell.values())
    short = {replicate for replicate, average in cell.items() if average['draws'] < most}
    if short:
        notes.append(f'fewer than {most} draws in {_named(short)}')
    return notes


def _named(replicates: set[int]) -> str:
    plural = '' if len(replicates) == 1 else 's'
    return f'replicate{plural} ' + ', '.join(map(str, sorted(replicates)))
