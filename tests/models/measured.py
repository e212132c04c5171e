"""What the tests of the networks count."""

import numpy as np


def kernels(model):
    """The kernels of the layers, in their order."""
    return [layer.kernel for layer in model.layers if hasattr(layer, 'kernel')]


def sizes(weights):
    """How many numbers these weights hold."""
    return sum(int(np.prod(weight.shape)) for weight in weights)


def check_std(kernel, std):
    """Asserts mean 0 and that standard deviation, within four standard errors."""
    value = kernel.numpy().astype(np.float64)
    assert abs(value.std() / std - 1) < 4 / np.sqrt(2 * value.size)
    assert abs(value.mean()) < 4 * std / np.sqrt(value.size)
