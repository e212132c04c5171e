"""`provenance.json`: where and how a search ran, how much it was to do, and how it ended."""

import contextlib
from collections.abc import Iterator
from typing import Any

from lth_keras import digests, errors, plan, records, session
from lth_keras.laboratory import Laboratory
from lth_keras.runs import Run

NAME = 'provenance.json'
RUNNING, FINISHED, INTERRUPTED, FAILED = 'running', 'finished', 'interrupted', 'failed'
KILLED = 'killed'  # nobody could record that


def standing(said: str, working: bool) -> str:
    """How a run stands, from what it said last and whether a process works in it.

    >>> standing('running', False), standing('running', True), standing('finished', False)
    ('killed', 'running', 'finished')
    """
    return KILLED if said == RUNNING and not working else said


@contextlib.contextmanager
def recorded(run: Run, lab: Laboratory) -> Iterator[None]:
    """Inside, the run says that it is running; afterwards how it ended.

    A killed process can say nothing: what is found is 'running', and a lock that nobody holds.
    """
    known = {
        **session.provenance(),
        'command': records.command(lab.experiment),
        'planned': len(plan.trainings(lab)),
    }
    run.write(NAME, digests.pretty({**known, 'outcome': RUNNING}))
    try:
        yield
    except BaseException as e:
        # The disk may be what failed: the error that counts is the first one.
        with contextlib.suppress(Exception):
            _end(run, known, _of(e))
        raise
    _end(run, known, FINISHED)


def _end(run: Run, known: dict[str, Any], outcome: str) -> None:
    ended = {'outcome': outcome, 'ended': session.now()}
    run.write(NAME, digests.pretty({**known, **ended}))


def _of(error: BaseException) -> str:
    """How a search ended that this error ended, in one line."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    lines = str(error).strip().splitlines()
    kind = '' if isinstance(error, errors.LotteryError) else f'{type(error).__name__} '
    return f'{FAILED}: {kind}{lines[0] if lines else ""}'.strip()
