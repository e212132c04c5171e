"""What a person sees while it runs: which training, how good it is, how long all of it takes."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tqdm import tqdm

from lth_keras.watching import Result, Row, Training, Watcher

TIMINGS = 'timings.json'  # seconds of each training, in the run's directory
LOG_SECONDS = 30.0
BAR = 8  # characters that the bar itself has at least
AROUND = len(' 100%||  ')


class Progress(Watcher):
    """A bar over all steps of a search in a terminal, a line now and then in a log file.

    The time left counts the steps of trainings that are not in the store, at the pace of this
    process so far.

    Args:
      total: steps of all trainings, finished ones included.
      quiet: shows nothing.
      stream: where to; standard error if None.
      trainings: how many there are.
      at_most: whether there may be fewer, by a rule that stops early.
    """

    def __init__(
        self,
        total: int,
        quiet: bool = False,
        stream: TextIO | None = None,
        trainings: int = 0,
        at_most: bool = False,
    ):
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = not quiet and self._stream.isatty()
        self._bar = tqdm(
            total=total,
            dynamic_ncols=True,
            file=self._stream,
            disable=not self._terminal,
            bar_format='{percentage:3.0f}%|{bar}|',
        )
        self._total, self._done, self._skipped, self._warm = total, 0, 0, 0
        self._trainings, self._number = trainings, 0
        self._about = 'at most' if at_most else 'about'
        self._began = self._said = self._started = time.monotonic()
        self._reached = 0
        self._accuracy: float | None = None
        self.seconds: dict[str, float] = {}  # of each training, and what parts of it took
        self.parts: dict[str, Mapping[str, float]] = {}

    def started(self, training: Training) -> None:
        self._number += 1
        self._reached, self._started = training.begin, time.monotonic()
        self._accuracy = None
        self._draw(training.name)

    def evaluated(self, training: Training, row: Row) -> None:
        step, self._accuracy = int(row['step']), row['validation_accuracy']
        self._advance(step - self._reached)
        self._reached = step
        self._draw(training.name)
        if time.monotonic() - self._said > LOG_SECONDS:
            self._say(training, f'step {step:,} of {training.stop:,}')

    def trained(self, training: Training, seconds: Mapping[str, float]) -> None:
        took = self.seconds[training.name] = time.monotonic() - self._started
        self.parts[training.name] = seconds
        self._say(training, f'{training.stop - training.begin:,} steps in {took:.1f} s')

    def done(self, training: Training, result: Result) -> None:
        if result.kept:
            self._number += 1
            self._skipped += training.stop - training.begin
            self._bar.total = self._total - self._skipped
            self._draw(f'{training.name} (kept)')
            self._bar.refresh()

    def _advance(self, steps: int) -> None:
        if steps and not self._done:
            # The first steps wait for the compiler: they say nothing about the pace.
            self._began, self._warm = time.monotonic(), steps
        self._done += steps
        self._bar.update(steps)

    def _pace(self) -> float:
        """Steps per second; 0 while nothing is known."""
        return (self._done - self._warm) / max(1e-9, time.monotonic() - self._began)

    def _left(self) -> str:
        """The time left, as people say it; '' while nothing is known."""
        pace = self._pace()
        left = self._total - self._skipped - self._done
        return f'{self._about} {span(left / pace)} left' if pace > 0 else ''

    def _counted(self) -> str:
        return f'{self._number}/{self._trainings}' if self._trainings else ''

    def _draw(self, name: str) -> None:
        """Puts what is known around the bar; it is drawn with the next update."""
        if not self._terminal:
            return
        accuracy = '' if self._accuracy is None else f'val {self._accuracy:.4f}'
        pace = f'{tqdm.format_sizeof(self._pace())} step/s' if self._pace() else ''
        width = self._bar.format_dict['ncols'] or 80
        left, right = arranged(
            f'{self._counted()} {name}'.strip(), accuracy, pace, self._left(), width
        )
        left, right = (text.replace('{', '{{').replace('}', '}}') for text in (left, right))
        self._bar.bar_format = f'{left} {{percentage:3.0f}}%|{{bar}}| {right}'

    def _say(self, training: Training, what: str) -> None:
        if self._quiet or self._terminal:
            return
        self._said = time.monotonic()
        counted = f' ({self._counted()})' if self._trainings else ''
        accuracy = f'validation accuracy {self._accuracy:.4f}'
        facts = ', '.join(filter(None, [what, accuracy, self._left()]))
        print(f'{training.name}{counted}: {facts}', file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()


def arranged(name: str, accuracy: str, pace: str, left: str, width: int) -> tuple[str, str]:
    """What stands before and after a bar in a line of `width` characters, so that it fits.

    The pace goes first, then the name gets shorter, then the accuracy goes.

    >>> arranged('1/9 replicate 0 round 0 ticket', 'val 0.95', '2k step/s', 'about 5 min left', 90)
    ('1/9 replicate 0 round 0 ticket', 'val 0.95, 2k step/s, about 5 min left')
    >>> arranged('1/9 replicate 0 round 0 ticket', 'val 0.95', '2k step/s', 'about 5 min left', 70)
    ('1/9 rep 0 round 0 ticket', 'val 0.95, about 5 min left')
    """
    room = max(0, width - AROUND - BAR)
    short = name.replace('replicate ', 'rep ')
    for before, after in [
        (name, (accuracy, pace, left)),
        (name, (accuracy, left)),
        (short, (accuracy, left)),
    ]:
        text = ', '.join(filter(None, after))
        if len(before) + len(text) <= room:
            return before, text
    if room - len(text) < 12:
        text = left
    return f'{short[: max(0, room - len(text) - 1)]}…', text


def span(seconds: float) -> str:
    """Seconds as people say them.

    >>> span(42.3), span(600), span(9000), span(3 * 86400)
    ('42 s', '10 min', '2.5 h', '3.0 days')
    """
    if seconds < 120:
        return f'{seconds:.0f} s'
    if seconds < 7200:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h' if seconds < 172_800 else f'{seconds / 86_400:.1f} days'
