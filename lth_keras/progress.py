"""What a person sees while it runs: rounds, steps, time left."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from tqdm import tqdm

LOG_SECONDS = 30.0


class Progress:
    """A bar over all steps of a search in a terminal, a line now and then in a log file.

    The time left counts the steps of trainings that are not in the store, at the pace of this
    process so far.

    Args:
      total: steps of all trainings, finished ones included.
      quiet: shows nothing.
      stream: where to; standard error if None.
    """

    def __init__(self, total: int, quiet: bool = False, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = not quiet and self._stream.isatty()
        self._bar = tqdm(
            total=total,
            unit='step',
            unit_scale=True,
            dynamic_ncols=True,
            file=self._stream,
            disable=not self._terminal,
        )
        self._total, self._done, self._skipped, self._warm = total, 0, 0, 0
        self._began = time.monotonic()
        self._said = self._began
        self.seconds: dict[str, float] = {}  # of each training, and what parts of it took
        self.parts: dict[str, dict[str, float]] = {}

    @contextlib.contextmanager
    def training(self, name: str, begin: int, stop: int) -> Iterator[Callable[[int], None]]:
        """Yields the function to call with each step that the training called `name` reached."""
        reached = begin
        started = time.monotonic()
        self._bar.set_description(name)

        def on_step(step: int) -> None:
            nonlocal reached
            self._advance(step - reached)
            reached = step
            if time.monotonic() - self._said > LOG_SECONDS:
                self._say(f'{name}: step {step:,} of {stop:,}')

        yield on_step
        self.seconds[name] = time.monotonic() - started
        self._say(f'{name}: {stop - begin:,} steps in {self.seconds[name]:.1f} s')

    def skip(self, name: str, begin: int, stop: int) -> None:
        """Counts a training that is in the store."""
        self._skipped += stop - begin
        self._bar.total = self._total - self._skipped
        self._bar.set_description(f'{name} (kept)')
        self._bar.refresh()

    def _advance(self, steps: int) -> None:
        if steps and not self._done:
            # The first steps wait for the compiler: they say nothing about the pace.
            self._began, self._warm = time.monotonic(), steps
        self._done += steps
        self._bar.update(steps)

    def _say(self, text: str) -> None:
        if self._quiet or self._terminal:
            return
        self._said = time.monotonic()
        left = self._total - self._skipped - self._done
        pace = (self._done - self._warm) / max(1e-9, self._said - self._began)
        after = f', about {left / pace:.0f} s left' if pace > 0 else ''
        print(f'{text}{after}', file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()
