"""A run from disk into a `Book`: whatever is missing or broken is said, and the rest is used."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_keras import digests, errors
from lth_keras.outcome import RUNNING
from lth_keras.report import summary
from lth_keras.report.book import KILLED, UNKNOWN, Book
from lth_keras.report.cost import read_timings
from lth_keras.report.curves import Curves
from lth_keras.report.summary import Row

RECORDS, RECORD, LOCK = 'records.json', 'run.json', 'lock'
PROVENANCE, TIMINGS, ANALYSIS = 'provenance.json', 'timings.json', 'analysis/analysis.json'
FORMAT, VERSION = 'lth_keras.records', 1


def read(path: str | Path) -> Book:
    """The run in a directory, or in a committed `records.json`.

    Args:
        path: `workdir/label-fingerprint`, a folder with a `records.json`, or that file itself.

    Raises:
        StoreError: it is nothing of that kind, or of a newer version.
    """
    given = Path(path)
    directory = given.parent if given.name == RECORDS else given
    if not (directory / RECORD).is_file() and not (directory / RECORDS).is_file():
        raise errors.StoreError(
            f'expected the directory of a run, received {given} without {RECORDS}: pass '
            'WORKDIR/LABEL-FINGERPRINT, which a search prints when it ends'
        )
    problems: list[str] = []
    # A record that stands alone (docs/records/NAME) has nothing beside it that could be missing.
    alone = not (directory / RECORD).is_file()
    record, rows = _records(directory, problems, alone)
    provenance = _json(directory / PROVENANCE, problems)
    state = _state(provenance, directory / LOCK)
    if not rows and state != RUNNING:
        problems.append('no training has finished')
    timings = read_timings(_json(directory / TIMINGS, problems))
    analyses = _json(directory / ANALYSIS, problems).get('analyses', {})
    planned = provenance.get('planned')
    return Book(
        name=directory.resolve().name,
        rows=rows,
        problems=problems,
        record=record,
        state=state,
        planned=planned if isinstance(planned, int) else None,
        provenance=provenance,
        timings=timings,
        analyses=analyses if isinstance(analyses, Mapping) else {},
        curves=Curves(directory.resolve().parent / 'stages'),
        directory=directory,
    )


def _records(directory: Path, problems: list[str], alone: bool) -> tuple[dict, list[Row]]:
    """The head of the records, from `run.json` if there are none yet, and the usable rows."""
    record = _json(directory / RECORDS, problems)
    found = record.get('format', FORMAT), record.get('version', VERSION)
    if found[0] != FORMAT or not isinstance(found[1], int) or found[1] > VERSION:
        raise errors.StoreError(
            f'expected {FORMAT} version {VERSION} or older in {directory / RECORDS}, received '
            f'{found}: upgrade lth_keras'
        )
    rows = record.pop('rows', [])
    if not isinstance(rows, list):
        problems.append(f'{RECORDS}: expected a list of rows, received something else')
        rows = []
    try:
        intact = record.get('checksum') in (None, digests.digest(rows))
    except errors.LotteryError:
        intact = False
    if not intact:
        problems.append(f'{RECORDS} was changed after it was written: its checksum does not fit')
    if not alone:
        run = _json(directory / RECORD, problems)
        identity = run.get('identity') if isinstance(run.get('identity'), dict) else {}
        settings = dict(identity.pop('configuration', {}))
        settings['fingerprint'] = run.get('fingerprint')
        record.setdefault('configuration', settings)
        record.setdefault('identity', identity)
    return record, _usable(rows, problems)


def _usable(rows: list, problems: list[str]) -> list[Row]:
    """The rows that numbers can be taken from; the others are named."""
    good: dict[tuple, Row] = {}
    for number, row in enumerate(rows):
        try:
            if not isinstance(row, dict):
                raise errors.LotteryError(f'expected a record, received {row!r:.60}')
            summary.averaged([row])
        except errors.LotteryError as error:
            problems.append(f'row {number + 1} is left out: {error}')
            continue
        place = row['round'], row['variant'], row['replicate'], row.get('draw', 0)
        if place in good:
            problems.append(f'row {number + 1} is left out: the same training again')
            continue
        good[place] = row
    return list(good.values())


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    """A JSON mapping; empty if it is not there, or cannot be read, which is said."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problems.append(f'{path.name} cannot be read ({error})')
        return {}
    if not isinstance(content, dict):
        problems.append(f'{path.name}: expected a mapping, received something else')
        return {}
    return content


def _held(path: Path) -> bool:
    """Whether a live process works in the run; the lock is looked at and not kept."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _state(provenance: Mapping[str, Any], lock: Path) -> str:
    """How the run stands; runs of older versions did not say."""
    outcome = provenance.get('outcome')
    # A run that ended is not asked for its lock: one that starts now must find it free.
    if isinstance(outcome, str) and outcome != RUNNING:
        return outcome
    if _held(lock):
        return RUNNING
    return KILLED if outcome == RUNNING else UNKNOWN
