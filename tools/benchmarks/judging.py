"""What decides: which contestants agree, and ratios with their spread. Numbers in, numbers out."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

# The hand-written loop is a yardstick only if it uses the machine: below this share of the best
# matrix product nothing is compared with it.
HONEST = 0.45

Weights = Mapping[str, np.ndarray]


def difference(one: Weights, reference: Weights, start: Weights) -> float:
    """How far two trainings are apart, in units of the way that the reference went.

    ||one - reference|| / ||reference - start|| over all weights together, or over the moving
    statistics of normalisation together, which go much further: the larger of the two. Infinite
    if anything is not finite.

    >>> start = {'w': np.zeros(2)}
    >>> difference({'w': np.array([3.0, 4.5])}, {'w': np.array([3.0, 4.0])}, start)
    0.1

    Raises:
      ValueError: they do not hold the same weights.
    """
    shapes = [{k: np.shape(v) for k, v in w.items()} for w in (one, reference, start)]
    if shapes[0] != shapes[1] or shapes[1] != shapes[2]:
        raise ValueError(f'expected weights of shapes {shapes[1]}, received {shapes[0]}')
    moving = [k for k in reference if 'moving_' in k.rpartition('/')[2]]
    groups = [group for group in ([k for k in reference if k not in moving], moving) if group]
    return max(_difference(one, reference, start, group) for group in groups)


def _difference(one: Weights, reference: Weights, start: Weights, group: Sequence[str]) -> float:
    apart = math.sqrt(sum(_squares(one[k], reference[k]) for k in group))
    way = math.sqrt(sum(_squares(reference[k], start[k]) for k in group))
    return apart / way if math.isfinite(apart) and way > 0 else math.inf


def _squares(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(a, np.float64) - np.asarray(b, np.float64))))


def moved(weights: Weights, masks: Mapping[str, np.ndarray]) -> int:
    """Number of pruned weights that are not exactly 0.

    >>> moved({'w': np.array([0.0, 1.0, 2.0])}, {'w': np.array([False, False, True])})
    1
    """
    return sum(int(np.count_nonzero(weights[k][~mask])) for k, mask in masks.items())


def refusal(
    weights: Weights,
    reference: Weights,
    start: Weights,
    tolerance: float,
    masks: Mapping[str, np.ndarray],
) -> str:
    """Why a contestant's weights are not those of plain `fit`; empty if they are.

    Args:
      weights: the contestant's, after the steps of the check.
      reference: those of plain `fit` then.
      start: where both began.
      tolerance: the largest difference that rounding explains.
      masks: what must have been held; empty for a dense training.
    """
    apart = difference(weights, reference, start)
    if not apart <= tolerance:
        return (
            f'weights are {apart:.2g} of the way apart from those of plain fit, expected at most '
            f'{tolerance:g}'
        )
    count = moved(weights, masks)
    return f'{count:,} pruned weights are not 0' if count else ''


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, and what half of the values and all of them lie between."""

    median: float
    low: float
    high: float
    least: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> 'Spread':
        """Of at least one value.

        >>> Spread.of([4.0, 1.0, 2.0])
        Spread(median=2.0, low=1.5, high=3.0, least=1.0, most=4.0)
        """
        low, high = np.quantile(values, [0.25, 0.75])
        return Spread(statistics.median(values), float(low), float(high), min(values), max(values))


def ratios(rates: Sequence[float], reference: Sequence[float]) -> list[float]:
    """One ratio per round: both took their slices of a round next to each other.

    >>> ratios([2.0, 3.0], [4.0, 3.0])
    [0.5, 1.0]
    """
    return [a / b for a, b in zip(rates, reference, strict=True)]


def best(rates: Mapping[str, Sequence[float]], names: Sequence[str]) -> str | None:
    """Of the names that ran, the one with the highest median.

    >>> best({'fit': [1.0, 2.0, 3.0], 'fit_jit': [9.0, 1.0, 1.0]}, ['fit', 'fit_jit', 'absent'])
    'fit'
    """
    ran = [name for name in names if rates.get(name)]
    return max(ran, key=lambda name: statistics.median(rates[name])) if ran else None


def dishonest(share: Sequence[float]) -> str:
    """Why the hand-written loop is no yardstick; empty if it is one.

    Args:
      share: its rate over that of the machine's best matrix product, per round.

    >>> dishonest([0.5, 0.47, 0.3])
    ''
    >>> dishonest([0.41, 0.41, 0.5])
    'the hand-written loop reaches 0.41 of the best matrix product, expected at least 0.45'
    """
    reached = statistics.median(share)
    if reached >= HONEST:
        return ''
    return (
        f'the hand-written loop reaches {reached:.2f} of the best matrix product, expected at '
        f'least {HONEST}'
    )


def slice_steps(rate: float, seconds: float, quantum: int) -> int:
    """Steps of one slice that takes about `seconds`: a multiple of `quantum`, at least one.

    >>> slice_steps(530.0, 1.0, 100), slice_steps(10.0, 1.0, 100)
    (500, 100)
    """
    return quantum * max(1, round(rate * seconds / quantum))


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The order of one round: each contestant comes first in turn.

    >>> rotated(['a', 'b', 'c'], 4)
    ['b', 'c', 'a']
    """
    first = number % len(names)
    return [*names[first:], *names[:first]]
