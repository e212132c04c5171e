"""Contestants side by side: one process each, one at a time, in rounds with a rotating order."""

import contextlib
import dataclasses
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tools.benchmarks import child, judging
from tools.benchmarks.contestants import CEILING, EVALUATION, Contestant
from tools.benchmarks.networks import Network

# Processes are started, not forked: each has its own TensorFlow, threads and peak of memory.
_CONTEXT = multiprocessing.get_context('spawn')


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a contest is held.

    Args:
      seconds: length of a slice, about.
      rounds: slices per contestant.
      data_dir: folder of TFDS data sets; made data if empty.
      say: called with a line now and then.
    """

    seconds: float
    rounds: int
    data_dir: str = ''
    say: Callable[[str], Any] = print


class Broken(RuntimeError):
    """A contestant that could not be built or run."""


class Worker:
    """A contestant in its process."""

    def __init__(self, name: str, target: Any, *arguments: Any):
        self.name = name
        self._connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def receive(self) -> Any:
        """The answer to the last request.

        Raises:
          Broken: in one line; the rest is on standard error.
        """
        try:
            kind, value = self._connection.recv()
        except EOFError:
            self._process.join()
            raise Broken(f'{self.name}: ended with status {self._process.exitcode}') from None
        if kind == 'failed':
            line, details = value
            print(details, file=sys.stderr)
            raise Broken(f'{self.name}: {line}')
        return value

    def send(self, name: str, *arguments: Any) -> None:
        """Sends a request; one to a process that has ended shows in the answer."""
        with contextlib.suppress(OSError):
            self._connection.send((name, *arguments))

    def ask(self, name: str, *arguments: Any) -> Any:
        """Sends a request and waits for the answer."""
        self.send(name, *arguments)
        return self.receive()

    def close(self) -> None:
        """Ends the process."""
        self.send('stop')
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


@dataclasses.dataclass(frozen=True)
class Stage:
    """The contestants of one network, built and warm.

    Args:
      workers: name -> contestant.
      broken: name -> why it could not be built.
      facts: what `material.prepare` says of the network and its data.
    """

    workers: dict[str, Worker]
    broken: dict[str, str]
    facts: dict[str, Any]


@contextlib.contextmanager
def stage(
    network: Network,
    entries: Sequence[Contestant],
    settings: Settings,
    batches: int,
    warm: int,
) -> Iterator[Stage]:
    """Starts a process for each contestant, and ends them; the data are made meanwhile.

    Raises:
      Broken: the data could not be made.
    """
    everybody: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix='benchmark-') as folder:
        try:
            data = Worker('data', child.prepare, network, folder, batches, settings.data_dir)
            everybody.append(data)
            for entry in entries:
                options = {'seconds': settings.seconds} if entry.name == CEILING else {}
                job = child.Job(entry.make, network, folder, warm, options)
                everybody.append(Worker(entry.name, child.serve, job))
            facts = data.receive()
            found, broken = {}, {}
            for worker in everybody[1:]:
                worker.send('build')
            for worker in everybody[1:]:
                try:
                    worker.receive()
                    found[worker.name] = worker
                except Broken as error:
                    broken[worker.name] = str(error)
            yield Stage(found, broken, facts)
        finally:
            for worker in everybody:
                worker.close()


def rounds(
    found: Mapping[str, Worker], first: int, units: int, settings: Settings
) -> dict[str, list[dict[str, float]]]:
    """Lets each worker take its slices, one worker at a time.

    Args:
      found: name -> worker.
      first: the unit that the first slice begins with.
      units: units (steps) per slice, the same for all.
      settings: with the number of rounds.

    Returns:
      name -> what each slice took: units, wall and processor seconds.
    """
    slices: dict[str, list[dict[str, float]]] = {name: [] for name in found}
    for number in range(settings.rounds):
        for name in judging.rotated(list(found), number):
            slices[name].append(found[name].ask('run', first + number * units, units))
        settings.say(f'  round {number + 1} of {settings.rounds}')
    return slices


def measured(slices: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Rates (units per second) and processor seconds per unit, one per round.

    >>> measured({'a': [{'units': 10, 'wall': 2.0, 'processor': 3.0}]})
    {'a': {'rates': [5.0], 'processor': [0.3]}}
    """
    return {
        name: {
            'rates': [s['units'] / s['wall'] for s in taken],
            'processor': [s['processor'] / s['units'] for s in taken],
        }
        for name, taken in slices.items()
    }


def _judged(
    network: Network,
    entry: Contestant,
    checked: Mapping[str, Any],
    final: Mapping[str, Any],
    start: Mapping[str, Any],
    masks: Mapping[str, Any],
) -> dict[str, Any]:
    """Whether a contestant's weights are those of its reference, after the check and at the end."""
    own, reference = entry.name, entry.reference
    if reference not in start:
        return {'refused': f'{reference}, whose weights it must have, could not be run'}
    differences = {
        key: judging.difference(weights[own], weights[reference], start[reference])
        for key, weights in (('difference', checked), ('difference_at_end', final))
    }
    refused = judging.refusal(
        *(checked[own], checked[reference], start[reference], network.tolerance),
        masks if entry.masked else {},
    )
    return {**differences, 'refused': refused}


def training(
    network: Network, entries: Sequence[Contestant], settings: Settings, batches: int
) -> dict[str, Any]:
    """The contest of training paths of one network: all that the tables need, as plain data.

    Args:
      network: which.
      entries: the contestants, with those that they are compared with.
      settings: rounds, seconds, data.
      batches: steps per epoch.

    Raises:
      Broken: no data, or a contestant that failed while it ran.
    """
    settings.say(f'{network.name}: building {len(entries)} contestants')
    with stage(network, entries, settings, batches, network.quantum) as found:
        workers, facts = found.workers, found.facts
        start, taken = {}, {}
        for name, worker in workers.items():
            worker.ask('start')
            start[name] = worker.ask('weights')
            taken[name] = worker.ask('run', 0, network.check)
        checked = {name: worker.ask('weights') for name, worker in workers.items()}
        rates = [t['units'] / t['wall'] for name, t in taken.items() if name != CEILING]
        rate = statistics.median(rates) if rates else 1.0
        units = judging.slice_steps(rate, settings.seconds, network.quantum)
        results: dict[str, Any] = measured(rounds(workers, network.check, units, settings))
        final = {name: worker.ask('weights') for name, worker in workers.items()}
        for name, worker in workers.items():
            results[name] |= {'memory': worker.ask('memory'), **worker.ask('facts')}
    masks = facts.pop('masks')
    for entry in entries:
        if entry.agrees and entry.name in workers:
            results[entry.name] |= _judged(network, entry, checked, final, start, masks)
    return {
        'network': network.name,
        **facts,
        'batch_size': network.batch_size,
        'check': network.check,
        'tolerance': network.tolerance,
        'slice': units,
        'steps': network.check + settings.rounds * units,
        'broken': found.broken,
        'contestants': results,
    }


def evaluation(network: Network, settings: Settings, batches: int) -> dict[str, Any]:
    """The library's evaluation beside the bare forward pass of the same images.

    Raises:
      Broken: one of them could not be built or run.
    """
    settings.say(f'{network.name}: evaluation')
    with stage(network, EVALUATION, settings, batches, 1) as found:
        if found.broken:
            raise Broken('; '.join(found.broken.values()))
        pilot = [worker.ask('run', 0, 1) for worker in found.workers.values()]
        rate = statistics.median(1 / one['wall'] for one in pilot)
        units = judging.slice_steps(rate, settings.seconds, 1)
        results: dict[str, Any] = measured(rounds(found.workers, 0, units, settings))
        for name, worker in found.workers.items():
            results[name] |= {'memory': worker.ask('memory'), **worker.ask('facts')}
            results[name]['found'] = {k: float(v) for k, v in worker.ask('weights').items()}
    del found.facts['masks']
    return {'network': network.name, **found.facts, 'contestants': results}
