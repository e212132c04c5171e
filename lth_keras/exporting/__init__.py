"""Export: checked, stripped, written at once or not at all. A format is one file, one line here."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors, files, graph
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
    samples: Any = None,
    custom_objects: dict[str, Any] | None = None,
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
      samples: inputs to compare outputs on, a batch or a list of one per input; made if None.
      custom_objects: of a ticket: classes of layers that are not registered with Keras.

    Raises:
      StoreError: the directory exists, cannot be written, or the outputs differ.
      MaskError: a pruned weight is not zero.
    """
    write = FORMATS.get(format)
    target = Path(directory).absolute()
    if target.exists():
        raise errors.StoreError(f'expected no {target} yet, found one; remove it or choose another')
    model = thing.model(weights, custom_objects) if isinstance(thing, Ticket) else strip(thing)
    graph.check_model(model)
    batches = _samples(model, samples)
    with files.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=files.TEMPORARY, dir=target.parent))
    try:
        with files.writing(target):
            write(model, temporary / target.name, batches)
            sums = _checksums(temporary / target.name)
            for path in sorted(temporary.rglob('*')):
                files.DISK.sync(path)
            files.write_file(_sums_file(target), sums)
            files.DISK.rename(temporary / target.name, target)
            files.DISK.sync(target.parent)
    except tf.errors.OpError as e:  # TensorFlow's own word for a disk that is full
        first = str(e.message).split('\n')[0]
        raise errors.StoreError(
            f'cannot write {target} ({first}); free space or choose another'
        ) from e
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def verify(directory: str | Path) -> None:
    """Raises a StoreError unless an exported directory holds exactly what was written."""
    target = Path(directory)
    try:
        intact = _sums_file(target).read_text() == _checksums(target)
    except OSError:
        intact = False
    if not intact:
        raise errors.StoreError(
            f'expected {target} as it was exported, received something that was changed: remove '
            'it and export it again'
        )


def _sums_file(target: Path) -> Path:
    return target.with_name(target.name + '.sha256')


def _checksums(directory: Path) -> str:
    """Lines as `sha256sum` writes them, for all files of an exported directory (or a file)."""
    paths = sorted(p for p in [directory, *directory.rglob('*')] if p.is_file())
    lines = [
        f'{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(directory.parent)}\n'
        for p in paths
    ]
    return ''.join(lines)


def _samples(model: Model, given: Any) -> list[tf.Tensor]:
    """A small batch for each input of the model: what is given, else numbers of its type."""
    if given is not None:
        batches = list(given) if isinstance(given, list | tuple) else [given]
    else:
        generator = np.random.default_rng(0)
        # Unknown lengths get 8; whole numbers 0 and 1, which index any table.
        shapes = [[4, *(n or 8 for n in tensor.shape[1:])] for tensor in model.inputs]
        batches = [
            generator.random(shape) if tensor.dtype.is_floating else generator.integers(0, 2, shape)
            for shape, tensor in zip(shapes, model.inputs, strict=True)
        ]
    if len(batches) != len(model.inputs):
        raise errors.ConfigError(
            f'samples: expected a batch for each of {len(model.inputs)} inputs, received '
            f'{len(batches)}'
        )
    return [
        tf.cast(tf.constant(batch), tensor.dtype)
        for batch, tensor in zip(batches, model.inputs, strict=True)
    ]


__all__ = ['FORMATS', 'export', 'strip', 'verify']
