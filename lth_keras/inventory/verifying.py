"""Reads every byte of what a work directory holds; a line for each thing that is broken."""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from lth_keras import digests, errors, exporting, records, runs
from lth_keras.inventory import naming, scanning, text
from lth_keras.inventory.looking import attempt
from lth_keras.inventory.scanning import Exported, FoundRun, WorkDirectory
from lth_keras.inventory.showing import SAVED_MODEL
from lth_keras.store import Store
from lth_keras.ticket import Ticket

_SUMS = '.sha256'


@dataclasses.dataclass(frozen=True)
class Check:
    """Something to verify: `run` raises if it is broken, and keeps nothing of it in memory."""

    name: str
    run: Callable[[], Any]


def verify(
    workdir: str | Path,
    names: Sequence[str],
    say: Callable[[str], object],
    stream: TextIO | None = None,
) -> int:
    """Verifies tickets, SavedModels, records and stages; returns how many are broken.

    One thing is in memory at a time. A bar runs on a terminal, none in a log.

    Args:
      workdir: the work directory.
      names: tickets, runs (with their stages) or stages, by name; all that is there if empty.
      say: is told each line.
      stream: where the bar runs; standard error if None.

    Raises:
      LotteryError: no such work directory, or nothing of a given name.
    """
    work, stream = scanning.scan(workdir), stream or sys.stderr
    found = checks(work, names)
    broken = 0
    with tqdm(total=len(found), unit='', file=stream, disable=not stream.isatty()) as bar:
        for check in found:
            _, problem = attempt(check.run)
            if problem:
                broken += 1
                bar.clear()
                # A reader that fails in its own way names no file.
                where = '' if check.name in problem else f'{check.name}: '
                say(text.clean(f'broken: {where}{problem}'))
            bar.update()
    say(f'{text.counted(len(found), "artefact")} verified, {broken:,} broken')
    return broken


def checks(work: WorkDirectory, names: Sequence[str] = ()) -> list[Check]:
    """What there is to verify, each thing once, tickets first."""
    if not names:
        found = [check for run in work.runs.values() for check in _run_checks(work, run)]
        found += [_stage_check(work, name) for name in work.stages]
        foreign = [path for path in work.foreign if path.parent != work.path]
        return found + [Check(path.name, functools.partial(_foreign, path)) for path in foreign]
    by_name: dict[str, Check] = {}
    for name in names:
        for check in _named(work, name):
            by_name[check.name] = check
    return list(by_name.values())


def _named(work: WorkDirectory, name: str) -> Iterator[Check]:
    known: dict[str, Any] = {**work.runs, **work.tickets, **work.stages}
    name = naming.from_path(work, name, known)
    there = None if name in known else naming.at_path(name)
    # The whole name of a run, or the end of one, is not meant as a part of its tickets' names.
    found = there or naming.chosen(name, known, 'run, ticket or stage')
    if isinstance(found, FoundRun):
        yield from _run_checks(work, found)
        for stage in work.stages.values():
            owned = stage.path.name in found.mentions or stage.training in found.mentions
            if owned:
                yield _stage_check(work, stage.path.name)
    elif isinstance(found, Exported):
        yield from _ticket_checks(found)
    else:
        yield _stage_check(work, found.path.name)


def _run_checks(work: WorkDirectory, run: FoundRun) -> Iterator[Check]:
    yield Check(f'{run.name}/{runs.RECORD}', functools.partial(_record, run))
    if (run.directory / records.NAME).exists():
        yield Check(f'{run.name}/{records.NAME}', functools.partial(_rows, work, run))
    for ticket in run.tickets:
        yield from _ticket_checks(ticket)


def _ticket_checks(ticket: Exported) -> Iterator[Check]:
    folder = naming.ticket_folder(ticket)
    name = ticket.name if ticket.run else str(folder)
    yield Check(name, functools.partial(Ticket.load, folder))
    if folder == ticket.folder:
        return  # saved by itself, with nothing beside it
    exported = {path.with_suffix('') for path in ticket.folder.glob(f'*{_SUMS}')}
    if (ticket.folder / SAVED_MODEL).exists():
        exported.add(ticket.folder / SAVED_MODEL)
    for path in sorted(exported):
        yield Check(f'{name}/{path.name}', functools.partial(exporting.verify, path))


def _stage_check(work: WorkDirectory, name: str) -> Check:
    kind, _, key = name.rpartition('-')
    return Check(name, functools.partial(_stage, work.path, kind, key))


def _stage(workdir: Path, kind: str, key: str) -> None:
    if Store(workdir).find(kind, key) is None:
        raise errors.StoreError(
            f'expected the stage {kind}-{key}, received none: it was removed a moment ago'
        )


def _record(run: FoundRun) -> None:
    """`run.json` has no checksum, but its directory and the records say the same once more."""
    _fail(run, runs.RECORD)
    begun = json.loads((run.directory / runs.RECORD).read_bytes())
    told: dict[str, Any] = {'directory': f'{begun["label"]}-{begun["fingerprint"]}'}
    known: dict[str, Any] = {'directory': run.name}
    if run.rows and run.known:
        record = json.loads((run.directory / records.NAME).read_bytes())
        told |= {**begun['identity'], 'fingerprint': begun['fingerprint']}
        known |= {**record['identity'], 'fingerprint': record['configuration']['fingerprint']}
        # Flags of a newer version, and those that decide no bits, are in the records only.
        known['configuration'] = {
            k: v for k, v in record['configuration'].items() if k in told['configuration']
        }
    found = digests.differences(told, known, now='beside it')
    if found:
        raise errors.StoreError(
            f'expected {run.directory / runs.RECORD} to be of the run in its directory, received '
            f'differences: {"; ".join(found)}: restore what was changed, or remove the run'
        )


def _rows(work: WorkDirectory, run: FoundRun) -> None:
    _fail(run, records.NAME)
    lost = sorted(run.mentions - set(work.stages))
    if lost:
        again = f'run its command again, only they are trained: {run.command}'
        raise errors.StoreError(
            f'expected the {text.counted(len(run.mentions), "stage")} that '
            f'{run.directory / records.NAME} mentions, received {len(run.mentions) - len(lost)}, '
            f'without {lost[0]}{" and others" if len(lost) > 1 else ""}: {again}'
        )


def _fail(run: FoundRun, name: str) -> None:
    """Raises what the scan found to be wrong with one file of a run."""
    for problem in run.problems:
        if problem.startswith(f'{name}: '):
            raise errors.StoreError(
                f'expected {run.directory / name} as it was written, received: '
                f'{problem.removeprefix(f"{name}: ")}: remove it and run the same command again; '
                'finished stages are kept'
            )


def _foreign(path: Path) -> None:
    raise errors.StoreError(f'expected a stage at {path}, received something else: remove it')
