"""A line for each ticket of a work directory: from manifests and records, weights unread."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lth_keras import artefact, outcome, records, report, runs, stages
from lth_keras.inventory import scanning
from lth_keras.inventory.looking import attempt, mapping, size_of
from lth_keras.inventory.scanning import Exported, FoundRun, WorkDirectory
from lth_keras.inventory.text import ABSENT, clean, number, said
from lth_keras.ticket import KIND
from lth_keras.verdict import Verdict


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of the list.

    Attributes:
      name: RUN/NAME of a ticket, RUN of a run that exported none.
      state: 'exported', 'not exported' (a ticket that is in the store only) or 'run'.
      model, data: by name, '-' if unknown.
      density: kept share, in [0, 1].
      test_accuracy: at the early-stop iteration, in [0, 1].
      verdict: of its round, '-' if there is none.
      outcome: how the last search of its run ended: 'finished', 'running', 'killed', 'interrupted',
        'failed: ...'; '' if nothing says.
      size: bytes on disk: of the ticket's whole folder, of the stage, or of the run's directory.
      age: seconds since it was written; None if unknown.
      working: pid of the process that works in its run now, else ''.
      problem: what is wrong with it, else ''.
    """

    name: str
    state: str
    model: str = ABSENT
    data: str = ABSENT
    density: float | None = None
    test_accuracy: float | None = None
    verdict: str = ABSENT
    outcome: str = ''
    size: int = 0
    age: float | None = None
    working: str = ''
    problem: str = ''


def entries(work: WorkDirectory, everything: bool = False) -> list[Entry]:
    """The lines of a work directory, by name.

    Args:
      work: the work directory.
      everything: also a line for each trained round that was not exported.
    """
    found: list[Entry] = []
    for run in work.runs.values():
        verdicts, problem = verdicts_of(run)
        base = _of_run(run, problem)
        mine = [_exported(ticket, verdicts, base) for ticket in run.tickets]
        if everything:
            mine += _not_exported(work, run, verdicts, base)
        found += mine or [base]
        if mine and base.problem:  # of the run, so it is told once
            found.append(base)
    for path in work.foreign:
        if path.parent == work.path:
            found.append(
                Entry(clean(path.name), 'foreign', problem='not a run: it has no run.json')
            )
    return sorted(found, key=lambda entry: entry.name)


def _of_run(run: FoundRun, problem: str) -> Entry:
    last = run.directory / records.NAME
    pid = clean(runs.working(run.directory))
    return Entry(
        clean(run.name),
        'run',
        said(run.configuration.get('model')),
        said(run.configuration.get('dataset')),
        outcome=clean(outcome.standing(run.outcome, bool(pid))),
        size=size_of(run.directory),
        age=_age(last if os.path.lexists(last) else run.directory),
        working=pid,
        problem='; '.join(filter(None, [*run.problems, problem])),
    )


def verdicts_of(run: FoundRun) -> tuple[dict[int, Verdict], str]:
    """Round -> verdict from a run's records, and why there are none, if so."""
    if not run.rows:
        return {}, ''
    summaries, problem = attempt(lambda: report.summarise(run.rows, run.margin))
    found = {s.round: s.verdict for s in summaries or () if s.verdict}
    return found, f'{records.NAME}: {problem}' if problem else ''


def _exported(ticket: Exported, verdicts: Mapping[int, Verdict], base: Entry) -> Entry:
    entry = dataclasses.replace(
        base,
        name=clean(ticket.name),
        state='exported',
        size=size_of(ticket.folder),
        age=_age(ticket.folder / scanning.TICKET / artefact.MANIFEST),
        problem='',
    )
    folder = ticket.folder / scanning.TICKET
    read, problem = attempt(functools.partial(_provenance, folder))
    if problem:
        return dataclasses.replace(entry, problem=problem.replace(f'{folder}/', ''))
    provenance, problem = read
    configuration = mapping(provenance.get('configuration'))
    result = mapping(provenance.get('result'))
    return dataclasses.replace(
        entry,
        model=said(configuration.get('model')),
        data=said(configuration.get('dataset')),
        density=number(result.get('density')),
        test_accuracy=number(result.get('test_accuracy')),
        verdict=_verdict_name(verdicts, provenance.get('round')),
        problem=problem,
    )


def _provenance(folder: Path) -> tuple[Mapping[str, Any], str]:
    """The provenance of a ticket, and what can be seen to be wrong without reading weights."""
    manifest = artefact.read_manifest(folder)
    if manifest['kind'] != KIND:
        return {}, f'an artefact of kind {clean(manifest["kind"])}, not a ticket'
    for name, record in manifest['files'].items():
        path = folder / name
        there = path.stat().st_size if path.is_file() else None
        if there != record['size']:
            what = 'missing' if there is None else f'{there} bytes instead of {record["size"]}'
            return mapping(manifest['meta'].get('provenance')), f'{clean(name)}: {what}'
    return mapping(manifest['meta'].get('provenance')), ''


def _not_exported(
    work: WorkDirectory, run: FoundRun, verdicts: Mapping[int, Verdict], base: Entry
) -> Iterator[Entry]:
    """The best replicate by validation loss of each round whose training the store has."""
    exported = {ticket.folder.name for ticket in run.tickets}
    best: dict[int, tuple[float, Mapping[str, Any]]] = {}
    for row in run.rows:
        loss, where = number(row.get('validation_loss')), row.get('round')
        name = row.get('stage')
        ours = row.get('variant') == stages.TICKET and isinstance(name, str) and name in work.stages
        if ours and loss is not None and isinstance(where, int) and 'replicate' in row:
            if where not in best or loss < best[where][0]:
                best[where] = loss, row
    for where, (_, row) in sorted(best.items()):
        name = f'round-{where:02d}-replicate-{row["replicate"]}'
        if name in exported:
            continue
        stage = work.stages[row['stage']]
        yield dataclasses.replace(
            base,
            name=clean(f'{run.name}/{name}'),
            state='not exported',
            density=number(row.get('density')),
            test_accuracy=number(row.get('test_accuracy')),
            verdict=_verdict_name(verdicts, where),
            size=stage.size,
            age=_age(stage.path / artefact.MANIFEST),
            problem='',
        )


def verdict_of(verdicts: Mapping[int, Verdict], where: Any) -> Verdict | None:
    """The verdict of a round, which may be anything that a file says."""
    return verdicts.get(where) if isinstance(where, int) else None


def _verdict_name(verdicts: Mapping[int, Verdict], where: Any) -> str:
    found = verdict_of(verdicts, where)
    return found.name if found else ABSENT


def _age(path: Path) -> float | None:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return None


_SORTED: dict[str, Callable[[Entry], Any]] = {
    'name': lambda e: e.name,
    'density': lambda e: (e.density is None, e.density or 0.0),
    'accuracy': lambda e: (e.test_accuracy is None, -(e.test_accuracy or 0.0)),
    'size': lambda e: -e.size,
    'age': lambda e: (e.age is None, e.age or 0.0),
}
ORDERS = tuple(_SORTED)


def ordered(found: list[Entry], by: str) -> list[Entry]:
    """Sparsest, most accurate, largest or newest first; what has no such number comes last."""
    return sorted(found, key=_SORTED[by])
