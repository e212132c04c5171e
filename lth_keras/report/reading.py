"""A run from disk into a `Book`: whatever is missing or broken is said, and the rest is used."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lth_keras import digests, errors, outcome, progress, records, runs
from lth_keras.outcome import RUNNING
from lth_keras.report import summary
from lth_keras.report.book import UNKNOWN, Book
from lth_keras.report.cost import read_timings
from lth_keras.report.curves import Curves
from lth_keras.report.summary import Row

ANALYSIS = 'analysis/analysis.json'


def read(path: str | Path) -> Book:
    """The run in a directory, or in a committed `records.json`.

    Args:
        path: `workdir/label-fingerprint`, a folder with a `records.json`, or that file itself.

    Raises:
        StoreError: it is nothing of that kind, or of a newer version.
    """
    given = Path(path)
    directory = given.parent if given.name == records.NAME else given
    if not (directory / runs.RECORD).is_file() and not (directory / records.NAME).is_file():
        raise errors.StoreError(
            f'expected the directory of a run, received {given} without {records.NAME}: pass '
            'WORKDIR/LABEL-FINGERPRINT, which a search prints when it ends'
        )
    problems: list[str] = []
    # A record that stands alone (docs/records/NAME) has nothing beside it that could be missing.
    alone = not (directory / runs.RECORD).is_file()
    record, rows = _records(directory, problems, alone)
    provenance = _json(directory / outcome.NAME, problems)
    state = _state(provenance, directory)
    if not rows and state != RUNNING:
        problems.append('no training has finished')
    timings = read_timings(_json(directory / progress.TIMINGS, problems))
    planned = provenance.get('planned')
    stages = directory.resolve().parent / 'stages'
    return Book(
        name=directory.resolve().name,
        rows=rows,
        problems=problems,
        record=record,
        state=state,
        planned=planned if isinstance(planned, int) else None,
        provenance=provenance,
        timings=timings,
        analyses=_analyses(_json(directory / ANALYSIS, problems), problems),
        curves=Curves(stages),
        directory=directory,
        stored=stages.is_dir() and not alone,
    )


def _analyses(content: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Name -> analysis, of those that have the form of one."""
    analyses = content.get('analyses', {})
    found = {}
    for name, entry in analyses.items() if isinstance(analyses, Mapping) else ():
        tables = entry.get('tables') if isinstance(entry, Mapping) else None
        rows = [tables.values()] if isinstance(tables, Mapping) else [[None]]
        lists = all(isinstance(t, list) and all(isinstance(r, Mapping) for r in t) for t in rows[0])
        if lists:
            found[name] = entry
        else:
            problems.append(f'{ANALYSIS}: {name} has another form than tables of rows')
    return found


def _records(directory: Path, problems: list[str], alone: bool) -> tuple[dict, list[Row]]:
    """The head of the records, from `run.json` if there are none yet, and the usable rows."""
    record = _json(directory / records.NAME, problems)
    found = record.get('format', records.FORMAT), record.get('version', records.VERSION)
    if found[0] != records.FORMAT or not isinstance(found[1], int) or found[1] > records.VERSION:
        raise errors.StoreError(
            f'expected {records.FORMAT} version {records.VERSION} or older in '
            f'{directory / records.NAME}, received {found}: upgrade lth_keras'
        )
    rows = record.pop('rows', [])
    settings = record.get('configuration')
    if 'configuration' in record and not isinstance(settings, dict):
        problems.append(f'{records.NAME}: expected settings by name, received something else')
        del record['configuration']
    elif settings and not _margin(settings.get('margin', 0.0)):
        problems.append(f'{records.NAME}: the margin is no number, so that of the default is taken')
        del settings['margin']
    for name in ('identity', 'commits'):
        if not isinstance(record.get(name, {}), dict):
            del record[name]
    if not isinstance(rows, list):
        problems.append(f'{records.NAME}: expected a list of rows, received something else')
        rows = []
    try:
        intact = record.get('checksum') in (None, digests.digest(rows))
    except errors.LotteryError:
        intact = False
    if not intact:
        problems.append(
            f'{records.NAME} was changed after it was written: its checksum does not fit'
        )
    if not alone:
        run = _json(directory / runs.RECORD, problems)
        identity = run.get('identity') if isinstance(run.get('identity'), dict) else {}
        given = identity.pop('configuration', {})
        settings = dict(given) if isinstance(given, dict) else {}
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
            _check_types(row)
            summary.averaged([row])
        except errors.LotteryError as error:
            problems.append(f'row {number + 1} is left out: {error}')
            continue
        place = row['round'], row['variant'], row['replicate'], row.get('draw', 0)
        if place in good:
            problems.append(f'row {number + 1} is left out: the same training again')
            continue
        good[place] = _optional(row, number, problems)
    return list(good.values())


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _margin(value: Any) -> bool:
    return _number(value) and 0 <= value < 1


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_types(row: Mapping[str, Any]) -> None:
    """Raises a LotteryError if what tells a row from the others is of another type."""
    for name in ('round', 'replicate', 'draw'):
        if not _whole(row.get(name, 0)):
            raise errors.LotteryError(f'expected a whole {name} >= 0, received {row[name]!r:.40}')
    if not isinstance(row.get('variant', ''), str):
        raise errors.LotteryError(f'expected a name as variant, received {row["variant"]!r:.40}')
    step = row.get('early_stop_step')
    if _number(step) and step < 0:
        raise errors.LotteryError(f'expected an early stop >= 0, received {step}')


def _layers(value: Any) -> bool:
    """Whether this is kernel path -> kept and size."""
    return isinstance(value, Mapping) and all(
        isinstance(c, Mapping) and _whole(c.get('kept')) and _whole(c.get('size'))
        for c in value.values()
    )


# What a report shows of a row, if it is there and what it should be.
OPTIONAL: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(('training_steps', 'rewind_step', 'seed'), _whole),
    'stage': lambda value: isinstance(value, str),
    'layers': _layers,
}


def _optional(row: Mapping[str, Any], number: int, problems: list[str]) -> Row:
    """The row without those fields that cannot be used, which are named."""
    bad = [name for name, sound in OPTIONAL.items() if name in row and not sound(row[name])]
    if bad:
        problems.append(f'row {number + 1} is used without {", ".join(bad)}: of another form')
    return {name: value for name, value in row.items() if name not in bad}


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


def _state(provenance: Mapping[str, Any], directory: Path) -> str:
    """How the run stands; runs of older versions did not say."""
    said = provenance.get('outcome')
    said = said if isinstance(said, str) else UNKNOWN
    # A run that ended is not asked for its lock: one that starts now must find it free.
    if said not in (UNKNOWN, RUNNING):
        return said
    working = bool(runs.working(directory))
    return RUNNING if working else outcome.standing(said, working)
