"""Curves of trainings, read from the store: one training, and the mean over replicates."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from lth_keras import artefact, curve, errors, verdict

Curve = Mapping[str, np.ndarray]


class Band(NamedTuple):
    """A curve over replicates; the ends of the interval are None with one replicate.

    Attributes:
        steps: shape (n,), steps since initialisation.
        mean, low, high: shape (n,); the mean and the ends of its 95% t-interval.
        replicates: how many curves it is the mean of.
    """

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    replicates: int


def parse(text: str) -> dict[str, np.ndarray]:
    """The columns of a `curve.csv`; an empty cell is NaN.

    >>> found = parse('step,train_loss\\n100,\\n200,0.5\\n')
    >>> found['step'].tolist(), found['train_loss'].tolist()
    ([100.0, 200.0], [nan, 0.5])

    Raises:
        StoreError: not as many numbers as the header says.
    """
    header, _, body = text.strip().partition('\n')
    names = header.split(',')
    cells = body.replace('\n', ',').split(',') if body else []
    try:
        # One conversion of all cells: a report may read thousands of curves.
        table = np.array([cell or 'nan' for cell in cells], np.float64).reshape(-1, len(names))
    except ValueError:
        raise errors.StoreError(
            f'expected {len(names)} numbers a line ({header}), received others'
        ) from None
    return dict(zip(names, table.T, strict=True))


def band(curves: Iterable[Curve], column: str) -> Band | None:
    """Mean and 95% t-interval of one column at the steps that all curves have.

        mean +- t(0.975, n - 1) * s / sqrt(n), at each step alone

    Args:
        curves: one per replicate; those without the column, or with NaN in all of it, count not.
        column: its name.

    Returns:
        None without curves, or without a common step.

    >>> one = {'step': np.array([1.0, 2.0]), 'loss': np.array([4.0, 2.0])}
    >>> two = {'step': np.array([1.0, 2.0]), 'loss': np.array([6.0, 4.0])}
    >>> found = band([one, two], 'loss')
    >>> found.mean.tolist(), found.high.round(2).tolist(), band([one], 'loss').low is None
    ([5.0, 3.0], [17.71, 15.71], True)
    """
    usable = [c for c in curves if column in c and np.isfinite(c[column]).any()]
    if not usable:
        return None
    steps = functools.reduce(np.intersect1d, [c['step'][np.isfinite(c[column])] for c in usable])
    if not len(steps):
        return None
    values = np.stack([c[column][np.searchsorted(c['step'], steps)] for c in usable])
    count = len(usable)
    if count == 1:
        return Band(steps, values[0], None, None, 1)
    mean = values.mean(axis=0)
    t = float(stats.t.ppf((1 + verdict.CONFIDENCE) / 2, count - 1))
    half = t * values.std(axis=0, ddof=1) / np.sqrt(count)
    return Band(steps, mean, mean - half, mean + half, count)


def merged(draws: Sequence[Curve]) -> Curve:
    """The mean of a control's draws within one replicate, at the steps that all have.

    >>> one, two = ({'step': np.array([1.0, 2.0]), 'a': np.array([0.0, v])} for v in (2.0, 4.0))
    >>> {name: column.tolist() for name, column in merged([one, two]).items()}
    {'step': [1.0, 2.0], 'a': [0.0, 3.0]}
    """
    if len(draws) == 1:
        return draws[0]
    steps = functools.reduce(np.intersect1d, [draw['step'] for draw in draws])
    names = [name for name in draws[0] if all(name in draw for draw in draws)]
    places = [np.searchsorted(draw['step'], steps) for draw in draws]
    pairs = list(zip(draws, places, strict=True))
    return {name: np.mean([draw[name][at] for draw, at in pairs], axis=0) for name in names}


class Curves:
    """The curves of a run's trainings, as far as its store still has them.

    Args:
        stages: the folder of stages, if there is one.
    """

    def __init__(self, stages: Path | None = None):
        self._stages = stages
        self._read: dict[str, Curve | None] = {}
        self.problems: list[str] = []

    def of(self, stage: str) -> Curve | None:
        """The curve of a stage, verified; None if it cannot be had, and why in `problems`."""
        if stage not in self._read:
            self._read[stage] = None
            if stage and self._stages and (self._stages / stage).is_dir():
                try:
                    self._read[stage] = parse(artefact.read_text(self._stages / stage, curve.NAME))
                except errors.LotteryError as error:
                    self.problems.append(f'curve of {stage}: {error}')
        return self._read[stage]

    def per_replicate(self, rows: Iterable[Mapping[str, Any]]) -> list[Curve]:
        """A curve for each replicate among these rows that has any, its draws averaged."""
        draws: dict[int, list[Curve]] = {}
        for row in rows:
            found = self.of(row.get('stage', ''))
            if found is not None:
                draws.setdefault(row['replicate'], []).append(found)
        return [merged(several) for _, several in sorted(draws.items())]
