"""Export: checked, stripped, written at once or not at all. A format is one file, one line here."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from lth_keras import errors, graph
from lth_keras._compat import Model
from lth_keras.exporting.saved_model import saved_model
from lth_keras.exporting.stripping import strip
from lth_keras.registry import Registry
from lth_keras.ticket import Ticket

FORMATS = Registry('format', [saved_model])


def export(
    thing: Ticket | Model,
    directory: str | Path,
    format: str = 'saved_model',
    weights: str = 'early_stop',
    samples: np.ndarray | None = None,
) -> Path:
    """Writes a ticket or model for serving and returns the directory.

    Pruned weights are checked to be exactly zero, wrappers are stripped, the file is written
    under a temporary name, loaded again, and its outputs compared with the model's before it gets
    its name.

    Args:
      thing: a `Ticket`, or a model (wrapped or plain).
      directory: must not exist.
      format: one of `FORMATS`.
      weights: of a ticket: 'early_stop', 'final' or 'start'.
      samples: inputs to compare outputs on; random ones if None.

    Raises:
      StoreError: the directory exists, cannot be written, or the outputs differ.
      MaskError: a pruned weight is not zero.
    """
    write = FORMATS.get(format)
    target = Path(directory).absolute()
    if target.exists():
        raise errors.StoreError(f'expected no {target} yet, found one; remove it or choose another')
    model = thing.model(weights) if isinstance(thing, Ticket) else strip(thing)
    graph.check_model(model)
    if samples is None:
        samples = np.random.default_rng(0).random((4, *model.input_shape[1:]), np.float32)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix='.tmp~', dir=target.parent))
    except OSError as e:
        raise errors.StoreError(
            f'cannot write {target} ({e.strerror}); choose another directory'
        ) from e
    try:
        write(model, temporary / target.name, np.asarray(samples))
        (temporary / target.name).rename(target)
    except OSError as e:
        raise errors.StoreError(f'cannot write {target} ({e}); free space or choose another') from e
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


__all__ = ['FORMATS', 'export', 'strip']
