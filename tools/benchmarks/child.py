"""One contestant's process: is built, warms up, and then waits for its turn on a pipe."""

import contextlib
import dataclasses
import importlib
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tools.benchmarks.networks import Network


@dataclasses.dataclass(frozen=True)
class Job:
    """What a child is to be: 'module:function' of tools.benchmarks, network, and its material."""

    make: str
    network: Network
    folder: str
    warm: int
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == 'darwin' else most * 1024


def processor_seconds() -> float:
    """Time that all threads of this process have spent on processors."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def reporting(connection: Connection) -> Iterator[None]:
    """Inside, an error is sent to the parent: in one line, and in full.

    What TensorFlow prints is held back, and sent with the error.
    """
    with tempfile.TemporaryFile() as held:
        for stream in (1, 2):
            os.dup2(held.fileno(), stream)
        try:
            yield
        except (EOFError, BrokenPipeError, KeyboardInterrupt):
            pass  # the parent has gone
        except Exception as error:
            held.seek(0)
            printed = held.read().decode(errors='replace')[-2000:]
            line = f'{type(error).__name__}: {error}'.split('\n')[0]
            connection.send(('failed', (line, f'{printed}{traceback.format_exc()}')))


def serve(connection: Connection, job: Job) -> None:
    """Answers requests (name, arguments...) until 'stop'."""
    with reporting(connection):
        answer(connection, job)


def answer(connection: Connection, job: Job) -> None:
    """Builds the contestant and does what the parent asks."""
    os.environ['TF_USE_LEGACY_KERAS'] = '1'
    module, function = job.make.split(':')
    make = getattr(importlib.import_module(f'tools.benchmarks.{module}'), function)
    from tools.benchmarks import material

    base = peak_bytes()
    connection.recv()  # 'build': the material is there
    shared = material.load(job.network, Path(job.folder))
    contestant = make(shared, **job.options)
    contestant.start()
    contestant.prepare(0, job.warm)
    contestant.run()
    connection.send(('ready', None))
    while True:
        name, *arguments = connection.recv()
        if name == 'stop':
            return
        if name == 'run':
            contestant.prepare(*arguments)
            processor, wall = processor_seconds(), time.perf_counter()
            units = contestant.run()
            wall, processor = time.perf_counter() - wall, processor_seconds() - processor
            found: Any = {'units': units, 'wall': wall, 'processor': processor}
        elif name == 'memory':
            found = {'base': base, 'peak': peak_bytes()}
        else:  # start, weights, facts
            found = getattr(contestant, name)()
        connection.send(('done', found))


def prepare(connection: Connection, network: Network, folder: str, *arguments: Any) -> None:
    """Makes the material of a network (see `material.prepare`) in a process of its own."""
    with reporting(connection):
        os.environ['TF_USE_LEGACY_KERAS'] = '1'
        from tools.benchmarks import material

        facts = material.prepare(network, Path(folder), *arguments)
        connection.send(('done', facts))
