"""SavedModel: what TensorFlow Serving and plain TensorFlow load."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors
from lth_keras._compat import Model

# Of the largest output: the two programs may add numbers in another order.
TOLERANCE = 1e-5
SIGNATURE = 'serving_default'


def saved_model(model: Model, directory: Path, samples: list[tf.Tensor]) -> None:
    """SavedModel with the signature 'serving_default', loadable without tfmot or lth_keras.

    Args:
      model: a plain Keras model.
      directory: where to write; must not exist.
      samples: a batch for each input; on it the loaded file must give the model's outputs.

    Raises:
      StoreError: the loaded signature's outputs differ from the model's.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # Keras prints a page about endpoints
        model.export(str(directory))
    given = samples[0] if len(samples) == 1 else samples
    expected = _flat(model(given, training=False))
    signature = tf.saved_model.load(str(directory)).signatures[SIGNATURE]
    served = signature(**_arguments(model, signature, samples))
    found = [served[name] for name in sorted(served, key=_natural)]
    tolerance = max(TOLERANCE, 8 * _epsilon(model))
    for one, other in zip(expected, found, strict=True):
        one, other = (np.asarray(tf.cast(value, tf.float64)) for value in (one, other))
        largest = max(float(np.max(np.abs(one), initial=0.0)), 1e-30)
        difference = float(np.max(np.abs(one - other), initial=0.0))
        if not difference <= tolerance * largest:
            raise errors.StoreError(
                f'{directory}: expected the outputs of the model, the written file differs by '
                f'{difference:.2g} (largest output {largest:.2g}); not exported'
            )


def _arguments(model: Model, signature: Any, samples: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    """The samples under the signature's own names for the model's inputs."""
    names = list(signature.structured_input_signature[1])
    if len(names) == 1:
        return {names[0]: samples[0]}
    if set(names) == set(model.input_names):
        return dict(zip(model.input_names, samples, strict=True))
    return dict(zip(sorted(names, key=_natural), samples, strict=True))


def _epsilon(model: Model) -> float:
    """Rounding unit of the coarsest floating-point type that a layer computes in."""
    types = {tf.as_dtype(layer.compute_dtype) for layer in model._flatten_layers()}
    floating = [t for t in types if t.is_floating]
    return max((float(np.finfo(np.float32).eps) if t.size > 2 else _HALF[t]) for t in floating)


_HALF = {tf.float16: 2.0**-10, tf.bfloat16: 2.0**-7}


def _natural(name: str) -> list[Any]:
    """Sorts output_10 after output_2."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', name)]


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs, key=_natural)]
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
