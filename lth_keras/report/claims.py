"""What a paper claims beside what the records say, as generated rows."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lth_keras import verdict
from lth_keras.report.summary import REINIT, TICKET

Row = Mapping[str, Any]
# Densities of the same round under other rounding conventions differ by less than this share.
SAME_DENSITY = 0.02


@dataclasses.dataclass(frozen=True)
class Claim:
    """One sentence of a paper and how it is measured here, replicate by replicate.

    Args:
      text: the claim, with the paper's own number.
      density: the kept share at which it is made.
      against: 'dense' or the name of a control.
      measure: (ticket row, other row) -> a number that the claim says is positive.
      show: that number's mean -> text.
    """

    text: str
    density: float
    against: str
    measure: Callable[[Row, Row], float]
    show: Callable[[float], str]
    variant: str = TICKET


def _points(value: float) -> str:
    return f'{100 * value:+.2f} pp'


def _earlier(value: float) -> str:
    return f'{100 * value:.0f}% earlier' if value >= 0 else f'{-100 * value:.0f}% later'


def _accuracy(one: Row, other: Row) -> float:
    return one['test_accuracy'] - other['test_accuracy']


def _sooner(one: Row, other: Row) -> float:
    return 1 - one['early_stop_step'] / other['early_stop_step']


LENET = [
    Claim('early stop 38% earlier than dense at 21.1%', 0.2107, 'dense', _sooner, _earlier),
    Claim('test accuracy up by more than 0.3 pp at 13.5%', 0.1352, 'dense', _accuracy, _points),
    Claim(
        'minimum validation loss 2.51 times sooner than re-initialised at 21.1%',
        0.2107,
        REINIT,
        lambda one, other: other['early_stop_step'] / one['early_stop_step'] - 1,
        lambda value: f'{value + 1:.2f} times sooner',
    ),
    Claim('0.5 pp more accurate than re-initialised at 21.1%', 0.2107, REINIT, _accuracy, _points),
    Claim(
        're-initialised networks learn more slowly than dense (13.5%)',
        0.1352,
        'dense',
        lambda one, other: one['early_stop_step'] / other['early_stop_step'] - 1,
        lambda value: f'{value + 1:.2f} times the steps of dense',
        variant=REINIT,
    ),
    Claim(
        're-initialised networks lose accuracy (13.5%)',
        0.1352,
        'dense',
        lambda one, other: -_accuracy(one, other),
        lambda value: f'{100 * value:.2f} pp lost',
        variant=REINIT,
    ),
    Claim('test accuracy back at the dense level at 3.6%', 0.0358, 'dense', _accuracy, _points),
]


def claims_table(rows: Sequence[Row], claims: Sequence[Claim] = tuple(LENET)) -> str:
    """A Markdown table: the claim, what was measured (mean, 95% interval), whether it agrees.

    *agrees*: the interval lies on the claimed side of 0; *same direction*: only the mean does;
    *differs*: the mean does not.
    """
    lines = ['| Frankle & Carbin 2019 | measured here | |', '| :--- | :--- | :--- |']
    for claim in claims:
        measured, agrees = _judge(claim, rows)
        lines.append(f'| {claim.text} | {measured} | {agrees} |')
    return '\n'.join(lines) + '\n'


def _judge(claim: Claim, rows: Sequence[Row]) -> tuple[str, str]:
    values = []
    for row in rows:
        if row['variant'] != claim.variant or not _near(row['density'], claim.density):
            continue
        others = [other for other in rows if _partner(claim, row, other)]
        if others:
            values.append(sum(claim.measure(row, other) for other in others) / len(others))
    if not values:
        return 'not run', '-'
    mean, low, high = verdict.interval(values)
    if low is None:
        return f'{claim.show(mean)} (one replicate)', 'same direction' if mean > 0 else 'differs'
    text = f'{claim.show(mean)} [{claim.show(low)}, {claim.show(high)}]'
    return text, 'agrees' if low > 0 else 'same direction' if mean > 0 else 'differs'


def _near(density: float, target: float) -> bool:
    return abs(density - target) <= SAME_DENSITY * target


def _partner(claim: Claim, row: Row, other: Row) -> bool:
    if other['replicate'] != row['replicate']:
        return False
    if claim.against == 'dense':
        return other['round'] == 0 and other['variant'] == TICKET
    return other['round'] == row['round'] and other['variant'] == claim.against
