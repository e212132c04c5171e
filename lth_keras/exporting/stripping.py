"""From a wrapped model to a plain one that holds nothing but weights."""

import numpy as np

from lth_keras import graph
from lth_keras._compat import Model
from lth_keras.pruning import held_kernels, wrapping
from lth_keras.pruning.holding import check_zeros


def strip(model: Model) -> Model:
    """A plain, independent copy of a wrapped model: no wrappers, no masks, equal outputs.

    Pruned weights are checked to be zero and written as +0.0 (negative zeros compress worse).

    Raises:
      MaskError: a pruned weight is not zero.
    """
    graph.check_model(model)
    check_zeros(model)
    plain = wrapping.rebuilt(model)
    values = wrapping.read(plain)
    for path, _, mask in held_kernels(model):
        values[path] = np.where(mask.numpy() != 0, values[path], np.zeros((), values[path].dtype))
    wrapping.assign(plain, values)
    return plain
