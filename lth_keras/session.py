"""The process as a whole: threads, and how it ends."""

import sys

import tensorflow as tf

from lth_keras import errors


def configure(threads: int) -> None:
    """Sets the number of processor threads (0: TensorFlow's own choice) before anything runs.

    Raises:
      ConfigError: TensorFlow is at work already.
    """
    if threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError as e:
            raise errors.ConfigError(
                f'threads: expected to be set before TensorFlow starts, but {e}'
            ) from e


def failed(error: Exception) -> int:
    """Prints an expected failure as one line on standard error; returns the exit status 2."""
    text = ' '.join(str(error).split('\n')) if '\n  ' not in str(error) else str(error)
    print(f'error: {text}', file=sys.stderr)
    return 2
