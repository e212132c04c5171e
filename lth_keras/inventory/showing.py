"""All that one ticket says about itself, in lines for a person."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_keras import errors
from lth_keras.inventory import naming, scanning, text
from lth_keras.inventory.entries import verdict_of, verdicts_of
from lth_keras.inventory.looking import attempt, mapping, size_of
from lth_keras.inventory.scanning import Exported, FoundRun, WorkDirectory
from lth_keras.ticket import Ticket

SAVED_MODEL = 'saved_model'


@dataclasses.dataclass(frozen=True)
class Opened:
    """A ticket that was read and verified, where it lies, and the run that made it, if known."""

    place: Exported
    ticket: Ticket
    run: FoundRun | None

    @property
    def name(self) -> str:
        """RUN/NAME, or the path of a ticket of no run."""
        return self.place.name if self.run else str(self.place.folder)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where it comes from."""
        return mapping(self.ticket.provenance)

    @property
    def configuration(self) -> Mapping[str, Any]:
        """Flag -> value."""
        return mapping(self.provenance.get('configuration'))

    @property
    def result(self) -> Mapping[str, Any]:
        """The row of its training."""
        return mapping(self.provenance.get('result'))

    @property
    def verdict(self) -> str:
        """Of its round, with the reason."""
        if self.run is None:
            return text.ABSENT
        verdicts, problem = verdicts_of(self.run)
        found = verdict_of(verdicts, self.provenance.get('round'))
        return text.clean(found or problem or text.ABSENT)


def opened(work: WorkDirectory, name: str) -> Opened:
    """Reads a ticket by name or path, and verifies every byte of it.

    Raises:
      ConfigError: no such ticket, or several.
      StoreError: it is not what was written.
    """
    place = naming.ticket(work, name)
    folder = naming.ticket_folder(place)
    ticket, problem = attempt(lambda: Ticket.load(folder))
    if problem:
        raise errors.StoreError(
            problem
            if str(folder) in problem
            else f'expected a ticket in {folder}, received something else ({problem}): remove it '
            'and export it again'
        )
    return Opened(place, ticket, naming.run_of(work, place))


def show(workdir: str | Path, name: str) -> str:
    """One ticket: where it comes from, what it keeps, how well it does, and its files.

    Args:
      workdir: the work directory.
      name: RUN/NAME, a part of it that no other has, or a path.

    Raises:
      LotteryError: no such ticket, or a broken one.
    """
    work = scanning.scan(workdir)
    return describe(opened(work, name))


def describe(found: Opened) -> str:
    """The lines of a ticket."""
    provenance, result = found.provenance, found.result
    versions = mapping(provenance.get('versions'))
    facts = {
        'ticket': found.name,
        'model': found.configuration.get('model'),
        'data': found.configuration.get('dataset'),
        'procedure': found.configuration.get('procedure'),
        'fingerprint': provenance.get('fingerprint'),
        'replicate': provenance.get('replicate'),
        'seed': provenance.get('seed'),
        'round': provenance.get('round'),
        'rewind step': found.ticket.snapshot.step,
        'early stop': result.get('early_stop_step'),
        'steps': result.get('training_steps'),
        'verdict': found.verdict,
        'command': found.run.command if found.run and found.run.command else None,
        'device': provenance.get('device'),
        'engine': provenance.get('engine'),
        'versions': ', '.join(f'{k} {v}' for k, v in versions.items()) or None,
    }
    width = max(map(len, facts))
    lines = [f'{name:<{width}}  {_value(value)}' for name, value in facts.items()]
    lines += ['', *_accuracies(result), '']
    lines += [text.clean(line) for line in found.ticket.inspect().split('\n')]
    return '\n'.join([*lines, '', *_files(found.place.folder)])


def _accuracies(result: Mapping[str, Any]) -> list[str]:
    """A small table: when, on which part, accuracy and loss."""
    lines = []
    for when, prefix in (('early stop', ''), ('end', 'final_')):
        cells = [when]
        for part in ('validation', 'test'):
            for measure in ('accuracy', 'loss'):
                value = text.number(result.get(f'{prefix}{part}_{measure}'))
                cells.append(text.ABSENT if value is None else f'{value:.4f}')
        lines.append(cells)
    header = ['at', 'validation accuracy', 'loss', 'test accuracy', 'loss']
    return text.table(header, lines, header[1:])


def _files(folder: Path) -> list[str]:
    """Every file with its size, and where the SavedModel is."""
    paths = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    cells = [[text.clean(path.relative_to(folder)), text.size(size_of(path))] for path in paths]
    cells.append(['all', text.size(size_of(folder))])
    saved = folder / SAVED_MODEL
    return [
        *text.table(['file', 'size'], cells, ['size']),
        '',
        f'folder      {text.clean(folder)}',
        f'SavedModel  {text.clean(saved) if saved.is_dir() else text.ABSENT}',
    ]


def _value(value: Any) -> str:
    return text.ABSENT if value is None else text.clean(value)
