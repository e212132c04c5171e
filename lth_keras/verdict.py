"""The verdict over replicates: is a ticket *winning*, *not winning*, or is that *undecided*?"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from lth_keras import errors

WINNING = 'winning'
NOT_WINNING = 'not winning'
UNDECIDED = 'undecided'

MARGIN = 0.005  # half a percentage point of test accuracy, as a fraction
CONFIDENCE = 0.95

ONE_REPLICATE = 'one replicate: no confidence interval'
NO_REINIT = 'no random re-initialisation at this density'


class Interval(NamedTuple):
    """A mean and the ends of its t-interval; both ends are None where there is one value only.

    >>> str(Interval(0.25, None, None)), str(Interval(0.0, -0.5, 0.5))
    ('0.25 (one value: no interval)', '0 [-0.5, 0.5]')
    """

    mean: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None:
            return f'{self.mean:g} (one value: no interval)'
        return f'{self.mean:g} [{self.low:g}, {self.high:g}]'


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`winning`, `not winning` or `undecided`, with the reason and the intervals it rests on.

    Attributes:
        name: `WINNING`, `NOT_WINNING` or `UNDECIDED`.
        reason: one line for the reader.
        accuracy: ticket - dense, test accuracy at the early-stop iteration.
        steps: ticket - dense, early-stop step; below 0 = the ticket stops earlier.
        reinit_accuracy: ticket - random re-initialisation, test accuracy; None without control.
        reinit_steps: random re-initialisation - ticket, early-stop step: the steps *saved*.
    """

    name: str
    reason: str
    accuracy: Interval | None = None
    steps: Interval | None = None
    reinit_accuracy: Interval | None = None
    reinit_steps: Interval | None = None

    def __str__(self) -> str:
        return f'{self.name}: {self.reason}'


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of a mean: mean +- t((1 + confidence) / 2, n - 1) * s / sqrt(n).

    Args:
        values: shape (n,), n >= 1, finite.
        confidence: in (0, 1).

    Returns:
        (mean, low, high). One value has no interval: low and high are None. Equal values have an
        interval of width 0.

    Raises:
        LotteryError: no values, or one that is NaN or infinite.

    >>> mean, low, high = interval([1.0, 2.0, 3.0])
    >>> print(f'{mean:.3f} {low:.3f} {high:.3f}')
    2.000 -0.484 4.484
    >>> print(interval([0.25]))
    0.25 (one value: no interval)

    Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    if not 0 < confidence < 1:
        raise errors.ConfigError(f'expected a confidence in (0, 1), received {confidence}')
    array = _finite('values', values)
    if len(array) == 1:
        return Interval(float(array[0]), None, None)
    if np.ptp(array) == 0:  # the mean of n equal floats need not be that float; here it is
        return Interval(*[float(array[0])] * 3)
    mean = float(np.mean(array))
    error = float(np.std(array, ddof=1)) / math.sqrt(len(array))
    half = float(stats.t.ppf((1 + confidence) / 2, len(array) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def judge(
    ticket_accuracy: Sequence[float],
    dense_accuracy: Sequence[float],
    ticket_step: Sequence[float],
    dense_step: Sequence[float],
    reinit_accuracy: Sequence[float] | None = None,
    reinit_step: Sequence[float] | None = None,
    margin: float = MARGIN,
) -> Verdict:
    """The verdict: each claim is a 95% t-interval of differences paired by replicate.

    With a = ticket - dense accuracy, s = ticket - dense step, b = ticket - reinit accuracy and
    c = reinit - ticket step:
    *winning* iff low(a) > -margin and mean(s) <= 0 and (low(b) > 0 or low(c) > 0);
    *not winning* iff high(a) < -margin or low(s) > 0 or (high(b) <= 0 and high(c) <= 0);
    else *undecided*, and always so with one replicate or without the control.

    Args:
        ticket_accuracy: shape (n,), test accuracy in [0, 1] at the early-stop iteration.
        dense_accuracy: the same of the dense network; entry i is the same replicate.
        ticket_step: shape (n,), early-stop iteration in steps, >= 0.
        dense_step: the same of the dense network.
        reinit_accuracy: the same of random re-initialisation at this density, or None.
        reinit_step: the same; both or neither.
        margin: accuracy that may be lost, in [0, 1).

    Raises:
        LotteryError: NaN, infinite, percent, or arrays that cannot be paired.

    >>> verdict = judge([0.98, 0.982, 0.981], [0.98, 0.981, 0.981], [400, 500, 400],
    ...                 [900, 900, 800], [0.96, 0.961, 0.96], [900, 1000, 900])
    >>> verdict.name, round(verdict.accuracy.mean, 5), round(verdict.accuracy.low, 5)
    ('winning', 0.00033, -0.0011)
    >>> str(judge([0.98], [0.97], [400], [900]))
    'undecided: one replicate: no confidence interval'

    Frankle and Carbin, "The Lottery Ticket Hypothesis" (2019), section 1, made a rule.
    """
    if not 0 <= margin < 1:
        raise errors.ConfigError(f'expected a margin in [0, 1), a fraction, received {margin}')
    if (reinit_accuracy is None) != (reinit_step is None):
        raise errors.ConfigError(
            'expected accuracy and early-stop step of random re-initialisation, received one of '
            'the two; give both or neither'
        )
    accuracy = _accuracy_difference(ticket_accuracy, dense_accuracy, 'dense')
    steps = _step_difference(ticket_step, dense_step, 'dense')
    replicates = len(np.asarray(ticket_accuracy))
    if len(np.asarray(ticket_step)) != replicates:
        raise _unpaired('ticket accuracy', replicates, 'ticket step', len(ticket_step))
    better = saved = None
    if reinit_accuracy is not None:
        better = _accuracy_difference(ticket_accuracy, reinit_accuracy, 'reinit')
        saved = _step_difference(reinit_step, ticket_step, 'reinit')
    name, reason = _decide(accuracy, steps, better, saved, margin, replicates)
    return Verdict(name, reason, accuracy, steps, better, saved)


def _decide(
    accuracy: Interval,
    steps: Interval,
    better: Interval | None,
    saved: Interval | None,
    margin: float,
    replicates: int,
) -> tuple[str, str]:
    """The rule on the four intervals -> (name, reason); see `judge`."""
    if replicates == 1:
        return UNDECIDED, ONE_REPLICATE
    if better is None or saved is None:
        return UNDECIDED, NO_REINIT
    a, s = f'accuracy {_signed(accuracy, 4)}', f'early stop {_signed(steps, 0)}'
    b = f'accuracy {_signed(better, 4)}, steps saved {_signed(saved, 0)}'
    against = []
    if accuracy.high < -margin:
        against.append(f'{a} against dense lies below -{margin:g}')
    if steps.low > 0:
        against.append(f'{s} against dense is later')
    if better.high <= 0 and saved.high <= 0:
        against.append(f'{b} against reinit is no benefit')
    if against:
        return NOT_WINNING, '; '.join(against)
    unsettled = []
    if not accuracy.low > -margin:
        unsettled.append(f'{a} against dense reaches -{margin:g}')
    if not steps.mean <= 0:
        unsettled.append(f'{s} against dense is later on average')
    if not (better.low > 0 or saved.low > 0):
        unsettled.append(f'{b} against reinit is no clear benefit')
    if unsettled:
        return UNDECIDED, '; '.join(unsettled)
    return WINNING, f'{a}, {s} against dense; {b} against reinit'


def _signed(value: Interval, digits: int) -> str:
    # + 0.0 turns a rounded -0.0 into 0.0.
    mean, low, high = (f'{round(v, digits) + 0.0:+.{digits}f}' for v in value)
    return f'{mean} [{low}, {high}]'


def _finite(name: str, values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise errors.LotteryError(
            f'expected {name} as a list of at least one number, received shape {array.shape}'
        )
    if not np.isfinite(array).all():
        raise errors.LotteryError(f'expected finite {name}, received {array.tolist()}')
    return array


def _unpaired(first: str, n: int, second: str, m: int) -> errors.LotteryError:
    return errors.LotteryError(
        f'expected one number per replicate on both sides, received {n} of {first} and {m} of '
        f'{second}; keep the replicates that both have'
    )


def _accuracy_difference(ticket: Sequence[float], other: Sequence[float], name: str) -> Interval:
    a, b = _finite('ticket accuracy', ticket), _finite(f'{name} accuracy', other)
    for array in (a, b):
        if array.min() < 0 or array.max() > 1:
            raise errors.LotteryError(
                f'expected accuracies in [0, 1], received {array.tolist()}; give fractions, not '
                'percent'
            )
    if len(a) != len(b):
        raise _unpaired('ticket accuracy', len(a), f'{name} accuracy', len(b))
    # 0.975 - 0.98 is not -0.005 in floats: without rounding, noise would decide at the margin.
    return interval(np.round(a - b, 12))


def _step_difference(first: Sequence[float], second: Sequence[float], name: str) -> Interval:
    a, b = _finite('early-stop step', first), _finite('early-stop step', second)
    if min(a.min(), b.min()) < 0:
        raise errors.LotteryError(
            f'expected early-stop steps >= 0, received {a.tolist()} and {b.tolist()}'
        )
    if len(a) != len(b):
        raise _unpaired('ticket step', len(a), f'{name} step', len(b))
    return interval(a - b)
