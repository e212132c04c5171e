"""Removes tickets, runs and stages so that a kill at any moment leaves nothing half there."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lth_keras import errors
from lth_keras.files import DISK, Files, writing
from lth_keras.inventory import locks, scanning, text
from lth_keras.inventory.looking import size_of
from lth_keras.inventory.planning import Plan, hidden, plan


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
    before = scanning.scan(workdir).runs if yes else {}
    with locks.held(run.directory for run in before.values()):
        work = scanning.scan(workdir)  # as it is now that nobody works there
        # Nothing is held to look; and a run that began a moment ago is not held yet.
        locks.refuse_working(r.directory for name, r in work.runs.items() if name not in before)
        try:
            found = plan(work, names, unused)
        except errors.ConfigError:
            if yes:  # the first of several may be gone already: the rest goes all the same
                execute(plan(work, ()), files)
            raise
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

    The order keeps every state between consistent. Each thing is hidden under a temporary name,
    durably, before the first byte of anything goes: what is there under its real name is whole. A
    run is hidden before its stages, so that none is ever there without them, and deleted once they
    are hidden too: until then its records say which of them are to go, and the next removal reads
    those records.

    Args:
      found: the plan.
      files: the operations on disk.

    Raises:
      StoreError: the disk refuses.
    """
    runs, tickets, stages = (_hide(p, files) for p in (found.runs, found.tickets, found.stages))
    for path in [*stages, *tickets, *found.left, *runs]:
        with writing(path):
            files.remove(path)


def _hide(paths: Iterable[Path], files: Files) -> list[Path]:
    """Takes their names away from all of these, durably; returns the temporary ones."""
    paths = list(paths)
    temporary = [hidden(path) for path in paths]
    for path, to in zip(paths, temporary, strict=True):
        with writing(path):
            files.rename(path, to)
    for parent in sorted({path.parent for path in paths}):
        with writing(parent):
            files.sync(parent)
    return temporary
