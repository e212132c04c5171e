"""What speaks for and against each ticket: differences paired by replicate, with intervals."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from lth_keras import verdict
from lth_keras.report.summary import REINIT, TICKET, Cell, Row, averaged
from lth_keras.verdict import Interval

DENSE = 'dense'
TEST = "Student's 95% t-interval of differences paired by replicate (two-sided)"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The tickets of one round against the dense network or a control of their density.

    Attributes:
        round: of the tickets.
        density: of the tickets, the mean over replicates.
        against: 'dense', or the name of a control.
        replicates: the number of pairs.
        accuracy: ticket - other, test accuracy at the early-stop iteration, as a fraction.
        final_accuracy: likewise at the end of training.
        steps: other - ticket, early-stop iteration: the steps that the ticket saves.
        sooner: other / ticket, early-stop iteration: the geometric mean of the paired ratios,
            exp(mean(log(other / ticket))), its interval likewise; steps below 1 count as 1.
    """

    round: int
    density: float
    against: str
    replicates: int
    accuracy: Interval
    final_accuracy: Interval
    steps: Interval
    sooner: Interval


def comparisons(rows: Iterable[Row]) -> list[Comparison]:
    """Every comparison that the rows allow, by round: dense first, then `reinit`, then by name.

    Pairs are the replicates that both sides have; against `dense` and `reinit` those that all
    three have, as in the verdict. The draws of a control are averaged within a replicate first.
    This is the paired t-test of `scipy.stats.ttest_rel`, told by its interval.

    Args:
        rows: records of trainings.

    Raises:
        LotteryError: rows that `summarise` refuses.

    >>> row = dict(variant='ticket', draw=0, density=1.0, validation_accuracy=0.9,
    ...            validation_loss=0.3, test_accuracy=0.5, final_test_accuracy=0.5,
    ...            early_stop_step=100)
    >>> found = comparisons([
    ...     {**row, 'replicate': 0, 'round': 0}, {**row, 'replicate': 1, 'round': 0},
    ...     {**row, 'replicate': 0, 'round': 1, 'test_accuracy': 0.6, 'early_stop_step': 60},
    ...     {**row, 'replicate': 1, 'round': 1, 'test_accuracy': 0.8}])
    >>> [(c.against, c.replicates, str(c.steps)) for c in found]
    [('dense', 2, '20 [-234.124, 274.124]')]
    >>> print(f'{found[0].accuracy.mean:.2f} [{found[0].accuracy.low:.2f}]')
    0.20 [-1.07]
    >>> print(f'{found[0].sooner.mean:.3f}')  # sqrt(100 / 60 * 100 / 100)
    1.291
    """
    table = averaged(rows)
    dense, found = table.get((0, TICKET), {}), []
    for round_, variant in sorted(table):
        if variant != TICKET or round_ == 0:
            continue
        cell = table[round_, variant]
        controls = sorted(v for r, v in table if r == round_ and v != TICKET)
        controls.sort(key=lambda name: name != REINIT)
        others = [(DENSE, dense), *((name, table[round_, name]) for name in controls)]
        judged = set(cell) & set(dense) & set(table.get((round_, REINIT), dense))
        for name, other in others:
            paired = sorted(set(cell) & set(other))
            if judged and name in (DENSE, REINIT):
                paired = sorted(judged)
            if paired:
                found.append(_compare(round_, name, cell, other, paired))
    return found


def _compare(round_: int, name: str, cell: Cell, other: Cell, paired: list[int]) -> Comparison:
    def difference(key: str) -> Interval:
        # Counts / size: without rounding, noise of floats would look like an effect.
        values = np.round([cell[r][key] - other[r][key] for r in paired], 12)
        return verdict.interval(values.tolist())

    later = difference('early_stop_step')
    saved = Interval(-later.mean, None, None)
    if later.low is not None:
        saved = Interval(-later.mean, -later.high, -later.low)
    logs = [
        float(np.log(max(1, other[r]['early_stop_step']) / max(1, cell[r]['early_stop_step'])))
        for r in paired
    ]
    ratio = verdict.interval(logs)
    return Comparison(
        round=round_,
        density=float(np.mean([cell[r]['density'] for r in sorted(cell)])),
        against=name,
        replicates=len(paired),
        accuracy=difference('test_accuracy'),
        final_accuracy=difference('final_test_accuracy'),
        steps=saved,
        sooner=Interval(*(None if v is None else float(np.exp(v)) for v in ratio)),
    )
