"""What a paper claims beside what the records say, as generated rows."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lth_keras import verdict
from lth_keras.report.summary import TICKET

Row = Mapping[str, Any]
# Densities of the same round under other rounding conventions differ by less than this share.
SAME_DENSITY = 0.02


@dataclasses.dataclass(frozen=True)
class Claim:
    """One sentence of a paper and how it is measured here, replicate by replicate.

    Args:
      text: the claim, with the paper's own number.
      density: the kept share at which it is made; None for the round that says it most.
      against: 'dense' or the name of a control.
      measure: (row, other row) -> a number that has the `sign` 1 or -1, says the claim, or is 0.
      show: that number -> text.
      variant: whose row is measured.
      sign: the sign that the claim gives the number.
      equal: the claim is that there is no difference (within the verdict's margin).
      record: the record that holds `against`, if it is another one; replicates are paired.
    """

    text: str
    density: float | None
    against: str
    measure: Callable[[Row, Row], float]
    show: Callable[[float], str]
    variant: str = TICKET
    sign: int = 1
    equal: bool = False
    record: str = ''


def accuracy(one: Row, other: Row) -> float:
    """Difference of test accuracies at the early-stop iteration."""
    return one['test_accuracy'] - other['test_accuracy']


def sooner(one: Row, other: Row) -> float:
    """Logarithm of the ratio of early-stop iterations: its mean is that of the geometric mean."""
    return math.log(max(1, other['early_stop_step']) / max(1, one['early_stop_step']))


def points(value: float) -> str:
    """A difference of accuracies in percentage points."""
    return f'{100 * value:+.2f} pp'


def share_earlier(value: float) -> str:
    """What `sooner` gives, as a share of the other's steps."""
    share = 1 - math.exp(-value)
    return f'{100 * share:.0f}% earlier' if share >= 0 else f'{-100 * share:.0f}% later'


def times(value: float) -> str:
    """What `sooner` or `later` gives, as a factor."""
    return f'{math.exp(value):.2f} times'


def short_of(one: Row, other: Row) -> float:
    """The reverse of `accuracy`: by how much the other is better."""
    return -accuracy(one, other)


def later(one: Row, other: Row) -> float:
    """The reverse of `sooner`."""
    return -sooner(one, other)


def claims_table(rows: Sequence[Row], claims: Sequence[Claim]) -> str:
    """A Markdown table: the claim, what was measured (mean, 95% interval), whether it agrees.

    *agrees*: the interval lies on the claimed side of 0 (for an equality: within the margin);
    *same direction*: only the mean does; *differs*: the mean does not. Ratios are geometric means.
    """
    lines = ['| Frankle & Carbin 2019 | measured here | |', '| :--- | :--- | :--- |']
    for claim in claims:
        measured, agrees = judged(claim, rows, rows)
        lines.append(f'| {claim.text} | {measured} | {agrees} |')
    return '\n'.join(lines) + '\n'


def judged(claim: Claim, rows: Sequence[Row], others: Sequence[Row]) -> tuple[str, str]:
    """What was measured, and whether it agrees with the claim.

    Args:
      claim: the claim.
      rows: of the record that it is about.
      others: of the record that it is compared with; the same one, mostly.
    """
    by_round: dict[int, list[float]] = {}
    densities: dict[int, float] = {}
    for row in rows:
        if row['variant'] != claim.variant or not _meant(claim, row):
            continue
        found = [other for other in others if _partner(claim, row, other)]
        if found:
            value = sum(claim.measure(row, other) for other in found) / len(found)
            by_round.setdefault(row['round'], []).append(value)
            densities[row['round']] = row['density']
    if not by_round:
        return 'not run', '-'
    best = max(by_round, key=lambda r: claim.sign * sum(by_round[r]) / len(by_round[r]))
    where = f' at {100 * densities[best]:.1f}%' if claim.density is None else ''
    mean, low, high = verdict.interval(by_round[best])
    holds = abs(mean) < verdict.MARGIN if claim.equal else claim.sign * mean > 0
    if low is None:
        return f'{claim.show(mean)}{where} (one replicate)', _word(False, holds, claim)
    nearest = claim.sign * (low if claim.sign > 0 else high)
    sure = -verdict.MARGIN < low and high < verdict.MARGIN if claim.equal else nearest > 0
    interval = f'{claim.show(mean)} [{claim.show(low)}, {claim.show(high)}]'
    return interval + where, _word(sure, holds, claim)


def _word(sure: bool, holds: bool, claim: Claim) -> str:
    if sure or not holds:
        return 'agrees' if sure else 'differs'
    return 'within 0.5 pp on average' if claim.equal else 'same direction'


def _meant(claim: Claim, row: Row) -> bool:
    if claim.density is None:
        return row['round'] > 0
    return abs(row['density'] - claim.density) <= SAME_DENSITY * claim.density


def _partner(claim: Claim, row: Row, other: Row) -> bool:
    if other['replicate'] != row['replicate']:
        return False
    if claim.against == 'dense':
        return other['round'] == 0 and other['variant'] == TICKET
    if other['variant'] != claim.against:
        return False
    if claim.record:
        return abs(other['density'] - row['density']) <= SAME_DENSITY * row['density']
    return other['round'] == row['round']
