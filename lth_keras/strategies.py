"""The `tf.distribute` strategies: one function each, one line below; and this process's part."""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

# Private: how long a silent worker is waited for can be set nowhere else.
from tensorflow.python.eager import context

from lth_keras import errors
from lth_keras.registry import Registry

# Seconds; TensorFlow's own 10 are less than a busy or paused machine may be silent.
HEARTBEAT = 60
EXAMPLE = (
    '{"cluster": {"worker": ["host1:5000", "host2:5000"]}, "task": {"type": "worker", "index": 0}}'
)


def one_device() -> Any:
    """The GPU if there is one, else the processor."""
    return tf.distribute.get_strategy()


def mirrored() -> Any:
    """MirroredStrategy over all GPUs of this host (over all logical processors without one)."""
    kind = 'GPU' if tf.config.list_logical_devices('GPU') else 'CPU'
    return tf.distribute.MirroredStrategy([d.name for d in tf.config.list_logical_devices(kind)])


def multi_worker() -> Any:
    """MultiWorkerMirroredStrategy over the hosts in TF_CONFIG, which all run the same command."""
    part = role('multi_worker')
    check_port(part)
    process = context.context()
    process.configure_coordination_service = functools.partial(
        process.configure_coordination_service, heartbeat_timeout_in_ms=1000 * HEARTBEAT
    )
    try:
        with _interruptible():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as e:
        raise errors.ConfigError(
            'strategy: expected multi_worker to be the first use of TensorFlow in the process, '
            f'but it is at work already ({_first_line(e)}): start the search first'
        ) from e
    except tf.errors.OpError as e:
        raise errors.ConfigError(
            f'strategy: expected {part.count} workers to start, but {_first_line(e)}: start the '
            'same command on every host, each with its own index in TF_CONFIG'
        ) from e


STRATEGIES = Registry('strategy', [one_device, mirrored, multi_worker])


@dataclasses.dataclass(frozen=True)
class Role:
    """This process's part among those that train together; the first one is the chief.

    Args:
      index: from 0; the same order on every worker.
      count: number of workers.
      address: host:port of this one; '' if it is alone.
    """

    index: int = 0
    count: int = 1
    address: str = ''

    @property
    def chief(self) -> bool:
        """Whether this process writes what is found."""
        return self.index == 0

    def describe(self) -> str:
        """One line for the start."""
        if self.chief:
            return f'worker 0 of {self.count}, the chief: waits for the others, writes the results'
        return f'worker {self.index} of {self.count}: waits for the others; the chief writes'


@dataclasses.dataclass(frozen=True)
class Planned:
    """Stands in for a strategy whose workers are not started: for a dry run."""

    num_replicas_in_sync: int


def strategy(name: str, planned: bool = False) -> Any:
    """The process's one strategy object of this name: a second MirroredStrategy breaks Keras.

    Args:
      name: of the registry.
      planned: nothing will be trained: for several workers only their number is found out.
    """
    if planned and role(name).count > 1:
        return Planned(role(name).count * max(1, len(tf.config.list_physical_devices('GPU'))))
    return _made(name)


@functools.cache
def _made(name: str) -> Any:
    return STRATEGIES.get(name)()


def role(name: str) -> Role:
    """This process's part under the strategy of this name: alone, or what TF_CONFIG says.

    Raises:
      ConfigError: TF_CONFIG is absent or is none that several workers could have.
    """
    if name != 'multi_worker':
        return Role()
    text = os.environ.get('TF_CONFIG', '')
    if not text.strip():
        raise _wrong('nothing')
    try:
        given = json.loads(text)
    except ValueError:
        raise _wrong(f'something that is not JSON: {text[:80]!r}') from None
    if not isinstance(given, dict) or not isinstance(given.get('cluster'), dict):
        raise _wrong('JSON without a cluster')
    everyone = _everyone(given['cluster'])
    task = given.get('task')
    kind, index = (task.get(k) if isinstance(task, dict) else None for k in ('type', 'index'))
    known = [(job, str(number)) for job, number, _ in everyone]
    if isinstance(index, bool) or (kind, str(index)) not in known:
        tasks = ', '.join(' '.join(pair) for pair in known)
        raise _wrong(f'the task {kind} {index}, which is none of the cluster ({tasks})')
    place = known.index((kind, str(index)))
    return Role(place, len(everyone), everyone[place][2])


def _everyone(cluster: dict[str, Any]) -> list[tuple[str, int, str]]:
    """(job, index, address) of every worker, the chief first."""
    if not set(cluster) <= {'chief', 'worker'}:
        raise _wrong(f'the jobs {", ".join(sorted(cluster))}; known are worker and chief')
    found: list[tuple[str, int, str]] = []
    for job in ('chief', 'worker'):
        listed = cluster.get(job, [])
        if not isinstance(listed, list):
            raise _wrong(f'the job {job} without a list of addresses')
        for index, address in enumerate(listed):
            host, _, port = address.rpartition(':') if isinstance(address, str) else ('', '', '')
            if not host or not (port.isdecimal() and 0 < int(port) < 2**16):
                raise _wrong(f'the address {address!r}, which is not host:port')
            if address in [other for _, _, other in found]:
                raise _wrong(f'the address {address!r} twice')
            found.append((job, index, address))
    if len(cluster.get('chief', [])) > 1:
        raise _wrong('more than one chief')
    if len(found) < 2:
        raise _wrong(f'{len(found)} address; two or more workers train together')
    return found


def _wrong(received: str) -> errors.ConfigError:
    return errors.ConfigError(
        f"TF_CONFIG: expected all workers' addresses and this one's index (--strategy=multi_worker "
        f'reads them there), such as {EXAMPLE}, received {received}'
    )


def check_port(part: Role) -> None:
    """Raises ConfigError if another process of this host listens where this worker should."""
    port = int(part.address.rpartition(':')[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('', port))
        except OSError as e:
            raise errors.ConfigError(
                f'TF_CONFIG: expected port {port} of {part.address} to be free here, but it is '
                f'not ({e.strerror}): end what uses it, or give every worker another address'
            ) from e


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Lets Ctrl-C end the process while TensorFlow waits for other workers, in C++."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _first_line(error: Exception) -> str:
    return str(getattr(error, 'message', error)).strip().split('\n')[0]
