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


ABOVE, NOT_BELOW, NOT_ABOVE, EQUAL = 'above', 'not below', 'not above', 'equal'
PAPER, OURS = 'paper', 'ours'
# An early stop in this last part of a training may lie beyond its end.
CUT_OFF = 0.9


@dataclasses.dataclass(frozen=True)
class Claim:
    """One sentence and how it is measured here, replicate by replicate.

    Args:
      text: the claim, with the paper's own number.
      density: the kept share at which it is made; None for the round that says it most.
      against: 'dense' or the name of a control.
      measure: (row, other row) -> a number: differences of accuracy, or logarithms of ratios.
      show: that number -> text.
      variant: whose row is measured.
      kind: that the number is above 0, not below or not above 0 by more than the verdict's margin,
        or within the margin.
      record: the record that holds `against`, if it is another one; replicates are paired.
      source: who says so: 'paper', 'paper (secondary)' where only other texts quote it, 'ours'.
    """

    text: str
    density: float | None
    against: str
    measure: Callable[[Row, Row], float]
    show: Callable[[float], str]
    variant: str = TICKET
    kind: str = ABOVE
    record: str = ''
    source: str = PAPER


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


def final_accuracy(one: Row, other: Row) -> float:
    """Difference of test accuracies after the last step."""
    return one['final_test_accuracy'] - other['final_test_accuracy']


def final_short_of(one: Row, other: Row) -> float:
    """The reverse of `final_accuracy`."""
    return -final_accuracy(one, other)


def short_of(one: Row, other: Row) -> float:
    """The reverse of `accuracy`: by how much the other is better."""
    return -accuracy(one, other)


def later(one: Row, other: Row) -> float:
    """The reverse of `sooner`."""
    return -sooner(one, other)


def claims_table(rows: Sequence[Row], claims: Sequence[Claim]) -> str:
    """A Markdown table: the claim, what was measured (mean, 95% interval), whether it agrees.

    *agrees*: the interval lies where the claim says; *differs*: the interval excludes it;
    else *same direction* or *other direction* by the mean. Ratios are geometric means.
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
    by_round: dict[int, dict[int, list[float]]] = {}
    compared: dict[int, list[Row]] = {}
    for row in rows:
        if row['variant'] != claim.variant or not _meant(claim, row):
            continue
        found = [other for other in others if _partner(claim, row, other)]
        if found:
            value = sum(claim.measure(row, other) for other in found) / len(found)
            draws = by_round.setdefault(row['round'], {}).setdefault(row['replicate'], [])
            draws.append(value)
            compared.setdefault(row['round'], []).extend([row, *found])
    if not by_round:
        return 'not run', '-'
    # The draws of a control are one replicate.
    values = {
        number: [math.fsum(draws) / len(draws) for draws in replicates.values()]
        for number, replicates in by_round.items()
    }
    best = max(values, key=lambda r: math.fsum(values[r]) / len(values[r]))
    mean, low, high = verdict.interval(values[best])
    shown = f'{claim.show(mean)} (one replicate)'
    if low is not None:
        shown = f'{claim.show(mean)} [{claim.show(low)}, {claim.show(high)}]'
    if claim.density is None:
        density = next(row['density'] for row in compared[best] if row['round'] == best)
        shown += f' at {100 * density:.1f}%, best of {len(values)} rounds'
    at_the_end = claim.measure in (final_accuracy, final_short_of)
    if not at_the_end and any(_cut_off(row) for row in compared[best]):
        shown += ', cut off'
    word = _word(claim.kind, mean, low, high)
    if claim.density is None and word == 'agrees':
        word = 'same direction'  # the best of several rounds is no test
    return shown, word


def _cut_off(row: Row) -> bool:
    return row['early_stop_step'] >= CUT_OFF * row.get('training_steps', math.inf)


def _word(kind: str, mean: float, low: float | None, high: float | None) -> str:
    """Whether an interval (or a lone mean) lies where the claim says."""
    margin = verdict.MARGIN
    least = {ABOVE: 0.0, NOT_BELOW: -margin, NOT_ABOVE: -math.inf, EQUAL: -margin}[kind]
    most = math.inf if kind in (ABOVE, NOT_BELOW) else margin
    if low is not None and high is not None:
        if least < low and high < most:
            return 'agrees'
        if high <= least or low >= most:
            return 'differs'
    return 'same direction' if least < mean < most else 'other direction'


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
