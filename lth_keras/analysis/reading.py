"""A finished run, read back from its directory and the store beside it; nothing is trained."""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lth_keras import digests, errors, records, rounds, runs
from lth_keras._compat import Model
from lth_keras.analysis.base import Seen
from lth_keras.analysis.kept import Kept, MissingError
from lth_keras.data import Data
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.stages import TICKET, TRAIN

GIVEN = 'given:arrays'
_NOT_MACHINE = ('configuration', 'digests', 'engine')


class Recorded(Laboratory):
    """The laboratory of a recorded run, under its recorded identity."""

    def __init__(self, experiment: Experiment, identity: Mapping[str, Any], *given: Any):
        self._recorded = identity
        super().__init__(experiment, *given)

    @property
    def identity(self) -> dict[str, Any]:
        """As recorded."""
        return dict(self._recorded)

    @property
    def digests(self) -> dict[str, str]:
        """As recorded; `check` compares."""
        return dict(self._recorded['digests'])

    @property
    def engine(self) -> str:
        """The path that trained; nothing is measured."""
        return self._recorded['engine']

    def check(self) -> None:
        """Raises a StoreError unless data, network and initial weights are the recorded ones."""
        here = {
            'data': self.data.digest,
            'model': digests.digest(self.architecture),
            'initial_weights': digests.digest(self.initial(self.experiment.seed)),
        }
        for name, value in here.items():
            if self.digests.get(name) != value:
                raise errors.StoreError(
                    f'expected the {name.replace("_", " ")} of the recorded run, received another: '
                    'use the code, data and library versions that the run was made with'
                )


@dataclasses.dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run whose trainings are in the store.

    Args:
      directory: `workdir/label-fingerprint`.
      lab: its data and network.
      command: what made it.
      fingerprint: of its configuration.
      rows: of its tickets, in the records.
    """

    directory: Path
    lab: Laboratory
    command: str
    fingerprint: str
    rows: Sequence[Mapping[str, Any]]

    def chosen(self, name: str, wanted: Sequence[int]) -> list[int]:
        """The wanted 'rounds' or 'replicates', all if none is given.

        Raises:
          ConfigError: one that the run does not have.
        """
        known = sorted({row[name.removesuffix('s')] for row in self.rows})
        for number in wanted:
            if number not in known:
                listed = ', '.join(map(str, known))
                raise errors.ConfigError(
                    f'{name}: expected some of {listed}, received {number}; the run has no other'
                )
        return sorted(set(wanted)) or known

    def tickets(self, rounds_: Sequence[int], replicates: Sequence[int]) -> Iterator[Seen]:
        """The chosen tickets with their trained weights, in the order replicate, round.

        A replicate that a stop rule ended early has fewer.

        Raises:
          StoreError: a stage is missing; the text names the command to run first.
        """
        machine = set(self.lab.identity) - {*_NOT_MACHINE}
        store = Kept(self.directory.parent, machine, {row['stage'] for row in self.rows})
        for replicate in replicates:
            mine = {row['round']: row for row in self.rows if row['replicate'] == replicate}
            left = [number for number in rounds_ if number in mine]
            seed, dense, last = next(iter(mine.values()))['seed'], None, -1
            initial, quiet = self.lab.initial(seed), Progress(0, quiet=True)
            follow = rounds.rounds(self.lab, store, quiet, replicate, seed)
            try:
                while left:
                    found = next(follow, None)
                    if found is None:
                        raise MissingError(TRAIN)
                    last = found.round
                    dense = dense or found
                    if found.variant == TICKET and found.round in left:
                        left.remove(found.round)
                        yield Seen(found, dense, initial)
            except MissingError as e:
                raise errors.StoreError(
                    f'expected the {e} stage of replicate {replicate} after round {last} in '
                    f'{store.stages}, found none; first run: {self.command}'
                ) from None


def of(lab: Laboratory, directory: Path, command: str, rows: Sequence[Any]) -> FinishedRun:
    """The run that a laboratory has just finished; its controls are not looked at."""
    bare = copy.copy(lab)
    bare.experiment = dataclasses.replace(lab.experiment, controls=(), control_rounds=())
    tickets = [row for row in rows if row['variant'] == TICKET]
    return FinishedRun(directory, bare, command, lab.fingerprint, tickets)


def read(
    directory: str | Path,
    data_dir: str = '',
    build_model: Callable[[], Model] | None = None,
    data: Data | None = None,
) -> FinishedRun:
    """The run in a directory.

    Args:
      directory: `workdir/label-fingerprint`, with the `stages` beside it.
      data_dir: folder of prepared TFDS data sets, for a run on one of them.
      build_model, data: those of a run by `find_tickets`, which no record can hold.

    Raises:
      StoreError: not a finished run, or another network or other data than the recorded ones.
      ConfigError: a configuration that this version does not know.
    """
    directory = Path(directory)
    recorded = _json(directory / runs.RECORD)
    if recorded is None:
        raise errors.StoreError(
            f'expected the directory of a run, received {directory} without {runs.RECORD}; pass '
            'WORKDIR/LABEL-FINGERPRINT, which a search prints when it ends'
        )
    try:
        identity, fingerprint = recorded['identity'], recorded['fingerprint']
        configuration = dict(identity['configuration'])
        _ = identity['digests'], identity['engine']
        dataset = configuration['dataset']
    except (KeyError, TypeError, ValueError):
        raise errors.StoreError(
            f'expected the record of a run in {directory / runs.RECORD}, received something else; '
            'restore it, or run the search again'
        ) from None
    known = {item.name for item in dataclasses.fields(Experiment)}
    unknown = sorted(set(configuration) - known)
    if unknown:
        raise errors.ConfigError(
            f'expected options that this version of lth_keras knows, received {unknown[0]!r} in '
            'the record of the run; use the version that made it'
        )
    if dataset == GIVEN and (build_model is None or data is None):
        raise errors.ConfigError(
            'expected a run on a named data set, received one of find_tickets, whose model and '
            'data no record holds; call lth_keras.analysis.analyse(run, build_model=..., data=...)'
        )
    # How it was spread over devices is part of the identity, and nothing is trained here.
    where = {'workdir': str(directory.absolute().parent), 'data_dir': data_dir}
    options: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in configuration.items()
    }
    options |= {**where, 'strategy': 'one_device', 'controls': ()}
    record = _json(directory / records.NAME) or {}
    rows = [row for row in record.get('rows', ()) if row['variant'] == TICKET]
    if not rows:
        command = records.command(Experiment(**options, replicates=1))
        raise errors.StoreError(
            f'expected {records.NAME} in {directory}, found no finished training; first run: '
            f'{command} --workdir={directory.parent}'
        )
    numbers = sorted({row['round'] for row in rows})
    if numbers != list(range(len(numbers))) and options['procedure'] == 'one_shot':
        options['only_rounds'] = tuple(number for number in numbers if number)
    experiment = Experiment(**options, rounds=numbers[-1], replicates=1)
    lab = Recorded(experiment, identity, build_model, data)
    lab.check()
    command = f'{record["command"]} --workdir={directory.parent}'
    return FinishedRun(directory, lab, command, fingerprint, rows)


def _json(path: Path) -> Any:
    """The JSON of a file, None if there is no such file."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as e:
        raise errors.StoreError(
            f'expected JSON in {path}, but {e}; remove it and run the search again, finished '
            'stages are kept'
        ) from None
