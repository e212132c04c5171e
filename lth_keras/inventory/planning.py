"""What a removal takes with it, and what it leaves because somebody else needs it."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lth_keras import errors
from lth_keras.files import TEMPORARY
from lth_keras.inventory import naming, scanning, text
from lth_keras.inventory.looking import size_of
from lth_keras.inventory.scanning import (
    STAGES,
    TICKETS,
    Exported,
    FoundRun,
    FoundStage,
    WorkDirectory,
)
from lth_keras.stages import TRAIN

# The run that owns temporary files has a '-' in its name: a removal's own are told apart.
LEFT = f'{TEMPORARY}removed~'
_LONGEST = 200  # of a name that is kept in another: file systems take 255 bytes


@dataclasses.dataclass(frozen=True)
class Plan:
    """What goes.

    Attributes:
      left: what an earlier removal was killed over, under temporary names.
      tickets: folders of exported tickets.
      stages: directories of stages.
      runs: directories of runs.
      notes: what the user must know.
    """

    left: tuple[Path, ...] = ()
    tickets: tuple[Path, ...] = ()
    stages: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """Everything."""
        return [*self.left, *self.tickets, *self.stages, *self.runs]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(map(size_of, self.paths))


def hidden(path: Path) -> Path:
    """A temporary name beside a path, that still tells what it was."""
    return path.with_name(f'{LEFT}{os.urandom(6).hex()}~{path.name[:_LONGEST]}')


def plan(work: WorkDirectory, names: Sequence[str], unused: bool = False) -> Plan:
    """What a removal of these tickets and runs takes, and what a killed one had begun to take.

    With a run go the trainings that its records mention and no other's, and the prunings that
    looked at one of them.

    Args:
      work: the work directory.
      names: RUN/NAME of tickets or names of runs, the ends of such names, or paths.
      unused: also the stages that no run's records mention.

    Raises:
      ConfigError: no such thing, or several.
      StoreError: something lies outside of the work directory; or it cannot be known what the
        runs that stay mention.
    """
    leftovers = left(work)
    known: dict[str, Any] = {**names_before(work, leftovers), **work.runs, **work.tickets}
    chosen = [_chosen(work, name, known) for name in names]
    runs = {thing.name: thing for thing in chosen if isinstance(thing, FoundRun)}
    tickets = {t.name: t.folder for t in chosen if isinstance(t, Exported) and t.run not in runs}
    stay = [run for run in work.runs.values() if run.name not in runs]
    # A run that was hidden still says which stages were to go with it.
    begun = [scanning.read_run(path) for path in leftovers if path.parent == work.path]
    stages = stages_of(work, [*runs.values(), *begun])
    if unused:
        stages += [stage for stage in work.unused if stage not in stages]
    unknown = next((run for run in stay if not run.known), None)
    if stages and unknown:
        raise errors.StoreError(
            f'expected records that tell which stages {unknown.name} needs, received '
            f'{"; ".join(unknown.problems)}: run its command again, or remove that run first'
        )
    found = Plan(
        tuple(leftovers),
        tuple(tickets.values()),
        tuple(stage.path for stage in stages),
        tuple(run.directory for run in runs.values()),
        tuple(_notes(work, runs.values(), stay, unused)),
    )
    for path in found.paths:
        check_inside(work.path, path)
    return found


def stages_of(work: WorkDirectory, gone: Iterable[FoundRun]) -> list[FoundStage]:
    """The stages that the records of these runs mention, and those of no other run.

    By name, not by what is still there: a removal that was killed half way finds the prunings of
    trainings that are gone already.
    """
    gone = list(gone)
    names = {run.name for run in gone}
    others = {s for run in work.runs.values() if run.name not in names for s in run.mentions}
    only = {stage for run in gone for stage in run.mentions} - others
    return [
        stage
        for stage in work.stages.values()
        if (stage.path.name if stage.kind == TRAIN else stage.training) in only
    ]


def check_inside(workdir: Path, path: Path) -> None:
    """Raises a StoreError unless the path lies below the work directory, through no link.

    The work directory itself may be reached through one.
    """
    inside = path.relative_to(workdir)
    real = Path(os.path.realpath(workdir)) / inside
    if os.path.realpath(path) != str(real) or '..' in inside.parts:
        raise errors.StoreError(
            f'expected {path} to lie below {workdir}, received a link to '
            f'{os.path.realpath(path)}: remove the link by hand'
        )


def _chosen(work: WorkDirectory, name: str, known: Mapping[str, Any]) -> Any:
    """The thing of a name; a removal does not guess from a part in the middle of one."""
    if '..' in Path(name).parts:
        raise errors.ConfigError(
            f"expected a name without '..', received {name!r}: give RUN or RUN/NAME"
        )
    name = naming.from_path(work, name, known)
    return naming.chosen(name, known, 'run or exported ticket', parts=False)


def left(work: WorkDirectory) -> list[Path]:
    """What a removal that was killed left under temporary names."""
    places = [work.path, work.path / STAGES]
    places += [run.directory / TICKETS for run in work.runs.values()]
    return [path for place in places for path in sorted(place.glob(f'{LEFT}*'))]


def names_before(work: WorkDirectory, leftovers: Iterable[Path]) -> dict[str, Path]:
    """The names that runs and tickets had before: the command that was killed has them."""
    found = {}
    for path in leftovers:
        before = path.name.removeprefix(LEFT).partition('~')[2]
        if before and path.parent == work.path:
            found[before] = path
        elif before and path.parent.name == TICKETS:
            found[f'{path.parent.parent.name}/{before}'] = path
    return found


def _notes(
    work: WorkDirectory, gone: Iterable[FoundRun], stay: Sequence[FoundRun], unused: bool
) -> list[str]:
    found = []
    data = [run.configuration.get('dataset') for run in gone if run.known]
    for run in stay:
        source = run.configuration.get('transfer_from', 'none')
        if source != 'none' and (unused or source in data):
            found.append(
                f'note: {run.name} trains tickets that are found on {source}; its records do not '
                'mention those trainings, which its command would do again'
            )
    for run in gone:
        if not run.known:
            found.append(
                f'note: which stages {run.name} mentions cannot be known ({run.problems[-1]}): '
                'none goes with it; --unused finds those of no other run'
            )
    if unused and work.unused:
        found.append(
            'note: a run that was killed before it wrote its records mentions nothing yet; its '
            'command would train again'
        )
    return [text.clean(line) for line in found]
