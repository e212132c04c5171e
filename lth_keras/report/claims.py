"""What a paper claims beside what the records say, as generated rows."""

import dataclasses
import math
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
      measure: (row, other row) -> a number that has the `sign` 1 or -1, says the claim, or is 0.
      show: that number -> text.
      variant: whose row is measured.
      sign: the sign that the claim gives the number.
      equal: the claim is that there is no difference (within the verdict's margin).
    """

    text: str
    density: float
    against: str
    measure: Callable[[Row, Row], float]
    show: Callable[[float], str]
    variant: str = TICKET
    sign: int = 1
    equal: bool = False


def _accuracy(one: Row, other: Row) -> float:
    return one['test_accuracy'] - other['test_accuracy']


def _sooner(one: Row, other: Row) -> float:
    """Logarithm of the ratio of early-stop iterations: its mean is that of the geometric mean."""
    return math.log(max(1, other['early_stop_step']) / max(1, one['early_stop_step']))


def _points(value: float) -> str:
    return f'{100 * value:+.2f} pp'


def _share_earlier(value: float) -> str:
    share = 1 - math.exp(-value)
    return f'{100 * share:.0f}% earlier' if share >= 0 else f'{-100 * share:.0f}% later'


def _times(value: float) -> str:
    return f'{math.exp(value):.2f} times'


LENET = [
    Claim('early stop 38% earlier than dense at 21.1%', 0.2107, 'dense', _sooner, _share_earlier),
    Claim('test accuracy up by more than 0.3 pp at 13.5%', 0.1352, 'dense', _accuracy, _points),
    Claim(
        'minimum validation loss 2.51 times sooner than re-initialised at 21.1%',
        *(0.2107, REINIT, _sooner, _times),
    ),
    Claim('0.5 pp more accurate than re-initialised at 21.1%', 0.2107, REINIT, _accuracy, _points),
    Claim(
        're-initialised networks need more steps than dense (13.5%)',
        *(0.1352, 'dense', lambda one, other: -_sooner(one, other), _times),
        variant=REINIT,
    ),
    Claim(
        're-initialised networks are less accurate than dense (13.5%)',
        *(0.1352, 'dense', _accuracy, _points),
        variant=REINIT,
        sign=-1,
    ),
    Claim(
        'test accuracy back at the dense level at 3.6%',
        *(0.0358, 'dense', _accuracy, _points),
        equal=True,
    ),
]


def claims_table(rows: Sequence[Row], claims: Sequence[Claim] = tuple(LENET)) -> str:
    """A Markdown table: the claim, what was measured (mean, 95% interval), whether it agrees.

    *agrees*: the interval lies on the claimed side of 0 (for an equality: within the margin);
    *same direction*: only the mean does; *differs*: the mean does not. Ratios are geometric means.
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
    holds = abs(mean) < verdict.MARGIN if claim.equal else claim.sign * mean > 0
    if low is None:
        return f'{claim.show(mean)} (one replicate)', _word(False, holds, claim)
    nearest = claim.sign * (low if claim.sign > 0 else high)
    sure = -verdict.MARGIN < low and high < verdict.MARGIN if claim.equal else nearest > 0
    return f'{claim.show(mean)} [{claim.show(low)}, {claim.show(high)}]', _word(sure, holds, claim)


def _word(sure: bool, holds: bool, claim: Claim) -> str:
    if sure or not holds:
        return 'agrees' if sure else 'differs'
    return 'within 0.5 pp on average' if claim.equal else 'same direction'


def _near(density: float, target: float) -> bool:
    return abs(density - target) <= SAME_DENSITY * target


def _partner(claim: Claim, row: Row, other: Row) -> bool:
    if other['replicate'] != row['replicate']:
        return False
    if claim.against == 'dense':
        return other['round'] == 0 and other['variant'] == TICKET
    return other['round'] == row['round'] and other['variant'] == claim.against
