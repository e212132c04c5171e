"""Who watches a search: one protocol for progress, summaries and whatever else is told of it."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lth_keras.trained import Row


@dataclasses.dataclass(frozen=True)
class Training:
    """Which training of a search; its steps go from `begin` to `stop`.

    Args:
      replicate, round, variant, draw: its place in the records.
      begin, stop: steps from initialisation.
      where: the data set, if it is another than the search's own.

    >>> Training(0, 3, 'reinit', 1, begin=0, stop=100).name
    'replicate 0 round 3 reinit draw 1'
    """

    replicate: int
    round: int
    variant: str
    draw: int = 0
    begin: int = 0
    stop: int = 0
    where: str = ''

    @property
    def name(self) -> str:
        """What people and `timings.json` call it."""
        where, draw = f'{self.where}: ' * bool(self.where), f' draw {self.draw}' * bool(self.draw)
        return f'{where}replicate {self.replicate} round {self.round} {self.variant}{draw}'


@dataclasses.dataclass(frozen=True)
class Result:
    """What a training left, as it stands in the store.

    Args:
      row: its row of the records.
      ticket: mask, start and trained weights.
      curve: the text of its `curve.csv`.
      kept: whether it was there before.
    """

    row: Mapping[str, Any]
    ticket: Any
    curve: str
    kept: bool


class Watcher:
    """Is told of every training of a search; this one does nothing with it.

    A training that is in the store is only `done`. Others are started, evaluated again and again,
    trained, then done. What a watcher does changes no bit of the results.
    """

    def started(self, training: Training) -> None:
        """It begins now."""

    def evaluated(self, training: Training, row: Row) -> None:
        """It was evaluated: the row of its curve, by column."""

    def trained(self, training: Training, seconds: Mapping[str, float]) -> None:
        """It ended, and what its parts took."""

    def done(self, training: Training, result: Result) -> None:
        """Its result is in the store, made now or earlier."""

    def close(self) -> None:
        """The search ends, one way or another."""


NOBODY = Watcher()


class Several(Watcher):
    """Tells several watchers, in order; one that fails does not keep the others from closing."""

    def __init__(self, *watchers: Watcher):
        self._watchers = watchers

    def started(self, training: Training) -> None:
        self._tell(lambda watcher: watcher.started(training))

    def evaluated(self, training: Training, row: Row) -> None:
        self._tell(lambda watcher: watcher.evaluated(training, row))

    def trained(self, training: Training, seconds: Mapping[str, float]) -> None:
        self._tell(lambda watcher: watcher.trained(training, seconds))

    def done(self, training: Training, result: Result) -> None:
        self._tell(lambda watcher: watcher.done(training, result))

    def _tell(self, act: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            act(watcher)

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for watcher in reversed(self._watchers):
                stack.callback(watcher.close)
