"""Removes tickets, runs and stages so that a kill at any moment leaves nothing half there."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lth_keras import errors
from lth_keras.files import DISK, Files, writing
from lth_keras.inventory import locks, scanning, text
from lth_keras.inventory.looking import size_of
from lth_keras.inventory.planning import LEFT, Plan, plan


def remove(
    workdir: str | Path,
    names: Sequence[str],
    say: Callable[[str], object],
    unused: bool = False,
    yes: bool = False,
    files: Files = DISK,
) -> Plan:
    """Says what goes, and removes it if told so.

    Args:
      workdir: the work directory.
      names: RUN/NAME of tickets or names of runs, the ends of such names, or paths.
      say: is told each line.
      unused: also the stages that no run's records mention.
      yes: does it; otherwise nothing is changed.
      files: the operations on disk.

    Raises:
      ConfigError: nothing to remove was given, or something that is not there.
      StoreError: a live process works in a run of the work directory; something lies outside of
        it; the disk refuses.
    """
    if not names and not unused:
        raise errors.ConfigError(
            'expected the name of a run or of an exported ticket, or --unused, received neither: '
            '`tools/tickets list` has the names'
        )
    directories = [run.directory for run in scanning.scan(workdir).runs.values()]
    with locks.held(directories) if yes else contextlib.nullcontext():
        locks.refuse_working([] if yes else directories)
        work = scanning.scan(workdir)  # as it is now that nobody works there
        found = plan(work, names, unused)
        for line in described(found, work.path):
            say(line)
        size, count = found.size, len(found.paths)
        if not count:
            say('nothing to remove')
        elif yes:
            execute(found, files)
            say(f'removed {text.counted(count, "thing")}, {text.size(size)}')
        else:
            say('nothing was removed: --yes does it')
    return found


def described(found: Plan, workdir: Path) -> list[str]:
    """A line per thing with its size, and all of it."""
    parts = {
        'left by a killed removal': found.left,
        'ticket': found.tickets,
        'stage': found.stages,
        'run': found.runs,
    }
    cells = [
        [kind, text.clean(path.relative_to(workdir)), text.size(size_of(path))]
        for kind, paths in parts.items()
        for path in paths
    ]
    lines = []
    if cells:
        cells.append(['all', text.counted(len(found.paths), 'thing'), text.size(found.size)])
        lines = text.table(['what', 'where', 'size'], cells, ['size'])
    return [*lines, *found.notes]


def execute(found: Plan, files: Files = DISK) -> None:
    """Removes what a plan names.

    The order is what keeps every state between consistent. Stages go before the run whose records
    name them: killed between, the run is still there, and the same command finds the rest (its own
    search would just train what is gone again). Were the run to go first, nobody could tell any
    more whose stages those were. Within each step all names are taken away and that is made
    durable before the first byte goes: after a kill or a power cut, what is there under its real
    name is whole. What lies under temporary names is removed by the next removal.

    Args:
      found: the plan.
      files: the operations on disk.

    Raises:
      StoreError: the disk refuses.
    """
    _delete(found.left, files)
    for paths in (found.tickets, found.stages, found.runs):
        hidden = []
        for path in paths:
            temporary = path.with_name(f'{LEFT}{os.urandom(6).hex()}')
            with writing(path):
                files.rename(path, temporary)
            hidden.append(temporary)
        for parent in sorted({path.parent for path in paths}):
            with writing(parent):
                files.sync(parent)
        _delete(hidden, files)


def _delete(paths: Iterable[Path], files: Files) -> None:
    for path in paths:
        with writing(path):
            files.remove(path)
