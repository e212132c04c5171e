"""What is in a work directory: its runs, their exported tickets and the stages they share.

Nothing that lies there stops a scan: what cannot be read is a problem of its own run.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lth_keras import artefact, digests, errors, outcome, records, runs, verdict
from lth_keras.files import TEMPORARY
from lth_keras.inventory.looking import children, size_of
from lth_keras.inventory.text import number
from lth_keras.stages import PRUNE, TRAIN

STAGES, TICKETS, TICKET = 'stages', 'tickets', 'ticket'
_STAGE = re.compile(r'([A-Za-z0-9][A-Za-z0-9._]*)-[0-9a-f]{16}')


@dataclass(frozen=True)
class Exported:
    """A folder that a search exported a ticket to: the ticket, its SavedModel, and checksums."""

    run: str
    folder: Path

    @property
    def name(self) -> str:
        """RUN/NAME."""
        return f'{self.run}/{self.folder.name}'


@dataclass(frozen=True)
class FoundRun:
    """A run as its files tell it.

    Attributes:
      directory: `workdir/label-fingerprint`.
      configuration: flag -> value; empty if it cannot be read.
      command: what makes its records; '' if there are none.
      rows: of its records.
      margin: accuracy that a winning ticket may lose.
      outcome: how its last search ended, 'running' if it says so, '' if it says nothing.
      tickets: what it exported.
      problems: what is wrong with its files, one text each.
      known: whether `mentions` is all that its records mention.
    """

    directory: Path
    configuration: Mapping[str, Any] = field(default_factory=dict)
    command: str = ''
    rows: tuple[Mapping[str, Any], ...] = ()
    margin: float = verdict.MARGIN
    outcome: str = ''
    tickets: tuple[Exported, ...] = ()
    problems: tuple[str, ...] = ()
    known: bool = True

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.directory.name

    @property
    def mentions(self) -> set[str]:
        """Names of the trainings in its records."""
        return {row['stage'] for row in self.rows if isinstance(row.get('stage'), str)}


@dataclass(frozen=True)
class FoundStage:
    """A stage, unread: a training, a pruning, or a choice of the engine."""

    path: Path
    kind: str
    size: int
    training: str | None = None  # that a pruning looked at; None if it does not say

    def used(self, trainings: set[str]) -> bool:
        """Whether it is one of these trainings or a pruning of one; other kinds always are.

        The choice of an engine is made once and never again, so it belongs to every run to come.
        A pruning that does not say what it looked at is broken: that is for `verify` to tell.
        """
        if self.kind == TRAIN:
            return self.path.name in trainings
        return self.kind != PRUNE or self.training is None or self.training in trainings


@dataclass(frozen=True)
class WorkDirectory:
    """All of it.

    Attributes:
      path: the work directory.
      runs: by name.
      stages: by name.
      foreign: directories that are neither a run nor a stage.
      temporary: what a process is writing now, or was when it was killed.
    """

    path: Path
    runs: Mapping[str, FoundRun]
    stages: Mapping[str, FoundStage]
    foreign: tuple[Path, ...]
    temporary: tuple[Path, ...]

    @property
    def tickets(self) -> dict[str, Exported]:
        """RUN/NAME -> what was exported."""
        return {t.name: t for run in self.runs.values() for t in run.tickets}

    @property
    def unused(self) -> list[FoundStage]:
        """The stages that no run's records mention."""
        mentioned = {name for run in self.runs.values() for name in run.mentions}
        return [stage for stage in self.stages.values() if not stage.used(mentioned)]


def scan(workdir: Path | str) -> WorkDirectory:
    """Looks at a work directory; weights are not read.

    Raises:
      StoreError: there is no such directory, or it cannot be read.
    """
    path = Path(workdir)
    if not os.path.isdir(path):
        raise errors.StoreError(
            f'expected a work directory at {path}, received none: give the --workdir of a search'
        )
    found, stages, foreign, temporary = {}, {}, [], []
    for entry in children(path, strict=True):
        if entry.name.startswith(TEMPORARY):
            temporary.append(entry)
        elif entry.name == STAGES or entry.name.startswith('.') or not os.path.isdir(entry):
            continue
        elif is_run(entry):
            found[entry.name] = read_run(entry)
        else:
            foreign.append(entry)
    for entry in children(path / STAGES):
        kind = _STAGE.fullmatch(entry.name)
        if entry.name.startswith(TEMPORARY):
            temporary.append(entry)
        elif kind and os.path.isdir(entry):
            training = _training(entry) if kind[1] == PRUNE else None
            stages[entry.name] = FoundStage(entry, kind[1], size_of(entry), training)
        else:
            foreign.append(entry)
    return WorkDirectory(path, found, stages, tuple(foreign), tuple(temporary))


def is_run(directory: Path) -> bool:
    """Whether a run was begun there: it has a record, or nothing yet but its lock."""
    names = {entry.name for entry in children(directory)}
    if {runs.RECORD, records.NAME} & names:
        return True
    return {name for name in names if not name.startswith(TEMPORARY)} == {runs.LOCK}


def read_run(directory: Path) -> FoundRun:
    """The run in a directory, with whatever can be read of it."""
    problems: list[str] = []
    configuration: Mapping[str, Any] = {}
    try:
        begun = json.loads((directory / runs.RECORD).read_bytes())
        configuration = dict(begun['identity']['configuration'])
    except Exception as e:  # whatever lies there: it is told, and the others are listed
        problems.append(_unreadable(runs.RECORD, e))
    rows: tuple[Mapping[str, Any], ...] = ()
    command, margin, known = '', verdict.MARGIN, True
    if os.path.lexists(directory / records.NAME):
        try:
            record = json.loads((directory / records.NAME).read_bytes())
            rows, fault = _rows(record)
            command = record['command'] if isinstance(record.get('command'), str) else ''
            allowed = number((record.get('configuration') or {}).get('margin'))
            margin = verdict.MARGIN if allowed is None else allowed
        except Exception as e:
            fault = _unreadable(records.NAME, e)
        if fault:
            problems.append(fault)
            known = False
    tickets = tuple(
        Exported(directory.name, folder)
        for folder in children(directory / TICKETS)
        if os.path.isdir(folder) and not folder.name.startswith('.')
    )
    return FoundRun(
        *(directory, configuration, command, rows, margin, _outcome(directory), tickets),
        *(tuple(problems), known),
    )


def _rows(record: Any) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """The rows of the records, and what is wrong with them."""
    rows = record['rows']
    if not all(isinstance(row, Mapping) for row in rows):
        return (), f'{records.NAME}: rows that are no mappings'
    if 'checksum' not in record:
        return tuple(rows), f'{records.NAME}: no checksum, so another version wrote it'
    if record['checksum'] != digests.digest(rows):
        return (), f'{records.NAME}: does not match its checksum'
    if not all(isinstance(row.get('stage'), str) for row in rows):
        return tuple(rows), f'{records.NAME}: a row does not name its stage'
    return tuple(rows), ''


def _outcome(directory: Path) -> str:
    try:
        found = json.loads((directory / outcome.NAME).read_bytes())['outcome']
    except Exception:  # of an older version, or broken: it is no result
        return ''
    return found if isinstance(found, str) else ''


def _unreadable(name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f'{name}: missing'
    if isinstance(error, OSError):
        return f'{name}: {error.strerror}'
    return f'{name}: not what was written'


def _training(stage: Path) -> str | None:
    """The training that a pruning looked at; its manifest is read, not verified."""
    try:
        found = json.loads((stage / artefact.MANIFEST).read_bytes())['meta']['inputs']['training']
    except Exception:  # broken: nobody's
        return None
    return found if isinstance(found, str) else None
