"""The process as a whole: threads, device, versions, and how it ends."""

import contextlib
import importlib.metadata
import os
import platform
import sys
import time
from typing import Any

import tensorflow as tf

from lth_keras import errors, strategies

LIBRARIES = ('tensorflow', 'tf_keras', 'tensorflow-model-optimization', 'numpy', 'lth_keras')


def part(strategy: str, planned: bool = False) -> strategies.Role:
    """This process's part among those that train together; says it if there are several.

    With another strategy a TF_CONFIG of several workers is worth a line, since each of them would
    do the whole search, and no more than that: schedulers set it for every job.

    Args:
      strategy: name of the strategy.
      planned: nothing will be trained.

    Raises:
      ConfigError: the strategy needs another TF_CONFIG, or the port in it is taken.
    """
    found = strategies.role(strategy)
    if found.count > 1 and not planned:
        strategies.check_port(found)
        print(found.describe(), file=sys.stderr, flush=True)
    if found.count == 1:
        with contextlib.suppress(errors.ConfigError):
            others = strategies.role('multi_worker')
            print(
                f'note: TF_CONFIG names {others.count} workers, but --strategy={strategy} trains '
                'alone; --strategy=multi_worker trains with them',
                file=sys.stderr,
                flush=True,
            )
    return found


def configure(threads: int, strategy: str = 'one_device', planned: bool = False) -> None:
    """Sets the number of processor threads (0: TensorFlow's own choice) and starts TensorFlow.

    Several workers start here: they must, before anything else is done with TensorFlow. Each has
    a server in its process, which stands still with one thread between operations: it gets two.

    Args:
      threads: number of threads.
      strategy: name of the strategy.
      planned: nothing will be trained: no other worker is waited for.

    Raises:
      ConfigError: TensorFlow is at work already, or the workers do not come together.
    """
    several = strategies.role(strategy).count > 1 and not planned
    between = threads
    if several and (threads or processors()) < 2:
        between = 2
    try:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        if between:
            tf.config.threading.set_inter_op_parallelism_threads(between)
    except RuntimeError as e:
        raise errors.ConfigError(
            f'threads: expected to be set before TensorFlow starts, but {e}'
        ) from e
    if several:
        strategies.strategy(strategy)
    tf.zeros(()).numpy()  # the first operation looks for devices, and prints what it found
    tf.get_logger().setLevel('WARNING')


def threads() -> int:
    """Number of processor threads that one operation may use: it can change bits."""
    set_to = tf.config.threading.get_intra_op_parallelism_threads()
    return set_to or processors()


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def device() -> str:
    """What trains: the first GPU's name and how many, or the processor's."""
    gpus = tf.config.list_physical_devices('GPU')
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f'GPU {details.get("device_name", "unknown")} x {len(gpus)}'
    return f'CPU {_processor()}'


def _processor() -> str:
    """Name of the processor: its instruction sets decide how sums are ordered."""
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that can change bits."""
    found = {'python': platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'unknown'
    return found


def provenance() -> dict[str, Any]:
    """Where and how this process runs: what results must not hold, but someone may ask."""
    return {
        'arguments': sys.argv,
        'processors': os.cpu_count(),
        'threads': {
            'intra_op': tf.config.threading.get_intra_op_parallelism_threads(),
            'inter_op': tf.config.threading.get_inter_op_parallelism_threads(),
        },
        'devices': [device.name for device in tf.config.list_logical_devices()],
        'platform': platform.platform(),
        'started': now(),
    }


def now() -> str:
    """The time of day, UTC."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def say(text: str, kept: str = '') -> None:
    """Prints a result; a full disk or a closed pipe behind standard output is an expected failure.

    Args:
      text: what to print.
      kept: where the same can be read, for the error.

    Raises:
      StoreError: standard output cannot be written.
    """
    try:
        print(text, flush=True)
    except OSError as e:
        # Python flushes again when it ends, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = f'; it is in {kept}' if kept else ''
        raise errors.StoreError(f'cannot write to standard output ({e.strerror}){where}') from e


def failed(error: Exception) -> int:
    """Prints an expected failure on standard error; returns the exit status 2."""
    print(f'error: {str(error).removeprefix("ERROR:: ")}', file=sys.stderr)
    return 2


def interrupted() -> int:
    """Says how to go on after Ctrl-C; returns the exit status 130."""
    print('interrupted: the same command goes on after the last finished stage', file=sys.stderr)
    return 130
