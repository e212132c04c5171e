"""Several processes that train together: what they agree on, and who writes what is found."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from lth_keras import artefact as artefacts
from lth_keras import errors, runs, strategies
from lth_keras.artefact import Artefact
from lth_keras.digests import plain
from lth_keras.runs import Run
from lth_keras.store import Store, completed, stage_key
from lth_keras.strategies import Role

T = TypeVar('T')
WIDTH = 512  # bytes that a worker says at once
PATIENCE = 60.0  # seconds: network file systems show new files late

SHARED = 'one --workdir that all workers share'
SHARE = 'give every worker the same folder, on a file system that all of them see'
ALIKE = 'start the same command on every worker, on machines and with thread counts of one kind'


class Team:
    """The processes that train together, as one of them sees them; alone, all is trivially so.

    Every worker calls the same methods in the same order.

    Args:
      role: this process's part.
      strategy: the process's one strategy, which connects it with the others.
    """

    def __init__(self, role: Role | None = None, strategy: Any = None):
        self.role = role or Role()
        self.chief = self.role.chief
        self._strategy = strategy
        self._sum = tf.function(self._all_reduce)

    def _all_reduce(self, rows: tf.Tensor) -> tf.Tensor:
        parts = self._strategy.run(tf.identity, args=(rows,))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)

    def gather(self, text: str) -> list[str]:
        """What each worker says here, in order; a text that is too long ends in its digest."""
        if self.role.count == 1:
            return [text]
        data = text.encode()
        if len(data) > WIDTH:
            data = data[: WIDTH - 20] + b'... ' + hashlib.sha256(data).hexdigest()[:16].encode()
        rows = np.zeros((self.role.count, WIDTH), np.float32)
        rows[self.role.index, : len(data)] = np.frombuffer(data, np.uint8)
        # Each replica of a worker says it once; bytes are exact in float32.
        each = self._strategy.num_replicas_in_sync // self.role.count
        total = (self._sum(tf.constant(rows)).numpy() / each).astype(np.uint8)
        return [bytes(row).rstrip(b'\0').decode(errors='replace') for row in total]

    def agree(self, expected: str, answer: str, advice: str) -> None:
        """Goes on if every worker gives the same answer.

        Raises:
          StoreError: on every worker; the text has all the answers.
        """
        answers = self.gather(answer)
        if len(set(answers)) > 1:
            received = '; '.join(f'worker {i}: {text}' for i, text in enumerate(answers))
            raise errors.StoreError(f'expected {expected}, received {received}: {advice}')

    def together(self, act: Callable[[], T]) -> T:
        """What `act` returns, once it went through on every worker.

        Raises:
          StoreError: on every worker if it failed on one, with that one's text.
        """
        failure = None
        try:
            result = act()
        except errors.LotteryError as e:
            failure = e
        said = self.gather(str(failure or ''))
        if failure:
            raise failure
        for index, text in enumerate(said):
            if text:
                raise errors.StoreError(f'worker {index} stopped: {text}')
        return result


def team_of(strategy: str, started: Any) -> Team:
    """This process's team: the name of its strategy, and the strategy itself."""
    return Team(strategies.role(strategy), started)


def store(workdir: Path | str, team: Team) -> Store:
    """The store below `workdir`, as this worker uses it."""
    return Store(workdir) if team.role.count == 1 else SharedStore(workdir, team)


class SharedStore(Store):
    """The store of several workers: the chief alone writes, all go on with what it wrote.

    Args:
      workdir: a folder that all workers see.
      team: this worker and the others.
    """

    def __init__(self, workdir: Path | str, team: Team):
        super().__init__(workdir)
        self.team = team

    def get_or(
        self, kind: str, inputs: Mapping[str, Any], make: Callable[[], Artefact]
    ) -> Artefact:
        """As in `Store`, on all workers at once: all make the stage, or none does.

        Raises:
          StoreError: on every worker, also if a stage is there for some only, or if what they
            made is not the same bits: then it is not written.
        """
        directory = self._stage(kind, stage_key(kind, inputs))
        there = _listed(directory)
        answer = f'stage {directory.name} is {"there" if there else "absent"}'
        self.team.agree(SHARED, answer, SHARE)
        if not there:
            made = completed(kind, inputs, make())
            bits = hashlib.sha256(artefacts.encode(made)[artefacts.MANIFEST]).hexdigest()
            self.team.agree('the same bits from every worker', f'{directory.name} {bits}', ALIKE)
            self.team.together(lambda: self._finish(directory, made) if self.team.chief else None)
        return self.team.together(lambda: self._read(directory, kind, inputs))

    def _read(self, directory: Path, kind: str, inputs: Mapping[str, Any]) -> Artefact:
        def gone() -> Artefact:
            raise errors.StoreError(f'expected {SHARED}, but {directory} is not there: {SHARE}')

        _wait(lambda: _listed(directory))
        return super().get_or(kind, inputs, gone)

    @contextlib.contextmanager
    def open_run(
        self, label: str, fingerprint: str, identity: Mapping[str, Any], named: bool = False
    ) -> Iterator[Run]:
        """As in `Store`: the chief opens the run; what the others write there goes nowhere.

        No worker leaves it before all have come to its end.

        Raises:
          StoreError: on every worker, also if their identities differ or they do not see the run.
        """
        for name, value in _items(plain(identity, 'identity')):
            self.team.agree('the same on every worker', f'{name} {json.dumps(value)}', ALIKE)
        with contextlib.ExitStack() as stack:
            opened = super().open_run(label, fingerprint, identity, named)
            if self.team.chief:
                run = self.team.together(lambda: stack.enter_context(opened))
            else:
                run = self.team.together(lambda: runs.visit(self.workdir, label, fingerprint))
            mark = self.team.gather(str(os.getpid()))[0]  # what the chief wrote into the lock
            sees = _wait(lambda: runs.holder(run.directory) == mark)
            answer = f'{"sees" if sees else "does not see"} the run that the chief opened'
            self.team.agree(SHARED, answer, SHARE)
            yield run
            self.team.together(lambda: None)


def _items(tree: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """The leaves of a tree of dictionaries, by path."""
    if not isinstance(tree, Mapping):
        yield path, tree
        return
    for name in sorted(tree):
        yield from _items(tree[name], f'{path}.{name}' if path else name)


def _listed(directory: Path) -> bool:
    """Whether a directory is there; listing its parent makes a network file system look anew."""
    try:
        return directory.name in os.listdir(directory.parent)
    except OSError:
        return False


def _wait(seen: Callable[[], bool]) -> bool:
    """Whether something is seen, sooner or later."""
    until = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def joined(team: Team, command: str) -> Iterator[None]:
    """Inside, all workers do what `command` says; one that is lost ends the others in one line.

    A process that ended is noticed at once, a host that answers no more after
    `strategies.HEARTBEAT` seconds.

    Raises:
      StoreError: the workers have different commands.
      TrainingError: another worker stopped.
    """
    try:
        team.agree('the same command on every worker', command, ALIKE)
        yield
    except tf.errors.OpError as e:
        gone = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
        if team.role.count == 1 or not (isinstance(e, gone) or 'ollective' in e.message):
            raise
        raise errors.TrainingError(
            'a worker stopped, or cannot be reached: start all again with the same command, '
            'finished stages are kept'
        ) from e
