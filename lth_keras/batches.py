"""Training data for `fit` that stays on the device, and from which batches are taken by index."""

from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors, loop
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.program import Augment
from lth_keras.steps import Epochs


class Batches:
    """Examples in memory, as the data of `Model.fit` and `Model.evaluate`: the fast path.

    `model.fit(Batches(x, y, batch_size=60, seed=0), ...)` runs `steps_per_execution` updates in
    one call of one program, compiled by XLA where that is faster, with the examples on the device
    and batches gathered by index. Everything else is Keras: optimizer, loss, metrics, callbacks,
    `initial_epoch`, `validation_data`, schedules, a `train_step` of one's own.

    Batch s (counted in optimizer updates since initialisation, rewinding included) is batch
    s mod per_epoch of epoch s div per_epoch, whose order follows from (seed, epoch) alone: a model
    rewound to step k meets the batches that it met there before. The last batch of an epoch is
    smaller if `batch_size` does not divide the number of examples. What random layers and
    augmentation draw follows from (seed, layer or position, s).

    Args:
      x: inputs (n, ...): an array, or tuples and dictionaries of arrays for several inputs.
      y: targets, likewise; None if the model's loss needs none.
      sample_weight: likewise, or None.
      batch_size: examples per update, over all replicas.
      seed: of the order, of augmentation and of random layers.
      shuffle: whether each epoch has an order of its own; evaluation never shuffles.
      drop_remainder: leaves out the smaller last batch.
      augmentation: name or function of a random change of the training inputs.
      engine: 'auto' (compiled if the model was compiled with `jit_compile=True`, else a fixed
        rule), 'compiled' or 'plain'.

    Raises:
      DataError: parts of unlike lengths, or no examples.
      ConfigError: a batch size outside of [1, n], or an unknown augmentation.

    >>> batches = Batches(np.zeros((100, 4), np.float32), np.zeros(100, np.int32), batch_size=32)
    >>> batches
    <Batches: 100 examples in 4 batches of 32, the last of 4>
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        seed: int = 0,
        shuffle: bool = True,
        drop_remainder: bool = False,
        augmentation: str | Augment = 'none',
        engine: str = 'auto',
    ):
        given = [part for part in (x, y, sample_weight) if part is not None]
        if sample_weight is not None and y is None:
            raise errors.DataError('sample_weight: expected together with targets y, received none')
        self._arrays = tuple(tf.nest.map_structure(_array, part) for part in given)
        lengths = [len(array) for array in tf.nest.flatten(self._arrays)]
        if len(set(lengths)) != 1 or not lengths[0]:
            raise errors.DataError(
                f'expected as many targets as inputs, and some, received parts of {lengths} '
                'examples'
            )
        self.seed = seed
        self.engine = engine
        self.epochs = Epochs(lengths[0], batch_size, seed if shuffle else None, drop_remainder)
        self.in_order = Epochs(lengths[0], batch_size, None, drop_remainder)
        self.augment = None if augmentation == 'none' else AUGMENTATIONS.get(augmentation)
        self._resident: dict[Any, Any] = {}

    def resident(self, strategy: Any) -> Any:
        """(x, y, sample_weight) as far as given, on the devices of a strategy; put there once."""
        if strategy not in self._resident:
            self._resident[strategy] = loop.resident(self._arrays, strategy)
        return self._resident[strategy]

    def __len__(self) -> int:
        return self.epochs.per_epoch

    def __repr__(self) -> str:
        epochs = self.epochs
        rest = epochs.examples % epochs.batch_size
        last = '' if not rest or epochs.drop_remainder else f', the last of {rest}'
        return (
            f'<Batches: {epochs.examples:,} examples in {len(self):,} batches of '
            f'{epochs.batch_size}{last}>'
        )


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype == np.float64:  # as Keras does with arrays
        array = array.astype(np.float32)
    if not array.ndim or array.dtype.hasobject:
        raise errors.DataError(
            f'expected arrays of numbers with one entry per example, received {array.dtype} of '
            f'shape {array.shape}'
        )
    return array
