"""SavedModel: what TensorFlow Serving and plain TensorFlow load."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors
from lth_keras._compat import Model

# Of the largest output: the two programs may add numbers in another order.
TOLERANCE = 1e-5


def saved_model(model: Model, directory: Path, samples: np.ndarray) -> None:
    """SavedModel with the signature 'serving_default', loadable without tfmot or lth_keras.

    Args:
      model: a plain Keras model.
      directory: where to write; must not exist.
      samples: inputs on which the loaded file must give the model's outputs.

    Raises:
      StoreError: the loaded signature's outputs differ from the model's.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # Keras prints a page about endpoints
        model.export(str(directory))
    expected = _flat(model(samples, training=False))
    loaded = tf.saved_model.load(str(directory))
    signature = loaded.signatures['serving_default']
    (name,) = signature.structured_input_signature[1]
    served = signature(**{name: tf.constant(samples)})
    found = [served[key] for key in sorted(served)]
    for one, other in zip(expected, found, strict=True):
        largest = max(float(np.max(np.abs(one))), 1e-30)
        difference = float(np.max(np.abs(np.asarray(one) - np.asarray(other))))
        if not difference <= TOLERANCE * largest:
            raise errors.StoreError(
                f'{directory}: expected the outputs of the model, the written file differs by '
                f'{difference:.2g} (largest output {largest:.2g}); not exported'
            )


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
