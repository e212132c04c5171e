"""A Keras model as the steps of `flow`: layers that can be followed, and a refusal by name."""

from typing import Any

import numpy as np

from lth_keras import errors, graph
from lth_keras._compat import Model, tf_keras
from lth_keras.analysis.flow import Network, Step

# By class, exactly: a subclass may compute anything.
_KERNELS = ('Dense', 'Conv1D', 'Conv2D', 'Conv3D')
_SAME = (
    *('Activation', 'ReLU', 'LeakyReLU', 'ELU', 'PReLU', 'ThresholdedReLU', 'Dropout'),
    *('SpatialDropout1D', 'SpatialDropout2D', 'GaussianNoise', 'GaussianDropout', 'Rescaling'),
    *('MaxPooling1D', 'MaxPooling2D', 'AveragePooling1D', 'AveragePooling2D', 'UpSampling2D'),
    *('GlobalAveragePooling1D', 'GlobalAveragePooling2D', 'GlobalMaxPooling1D', 'ZeroPadding2D'),
    *('GlobalMaxPooling2D', 'Cropping2D', 'BatchNormalization', 'ActivityRegularization'),
)
_MERGES = ('Add', 'Average', 'Subtract', 'Maximum', 'Minimum')
_ELEMENTWISE = (
    *('linear', 'relu', 'relu6', 'leaky_relu', 'elu', 'selu', 'gelu', 'swish', 'silu', 'mish'),
    *('tanh', 'sigmoid', 'hard_sigmoid', 'softplus', 'softsign', 'exponential'),
)
_MIXING = ('softmax', 'log_softmax')


def follow(model: Model) -> tuple[Network, list[Any]]:
    """The steps of a model, and the layer of each step (a layer with an own softmax has two).

    Dense and convolutions without groups; activations, pooling, padding, dropout and batch
    normalisation of the last axis; Flatten; Add and its like, Concatenate of the last axis.

    Raises:
      ModelError: a layer that cannot be followed; the text names it.
    """
    paths = {id(graph.unwrap(layer)): path for path, layer in graph.named_layers(model)}
    calls, outputs = graph.calls(model)
    steps: list[Step] = []
    layers: list[Any] = []
    at: list[int] = []  # call -> its last step
    for call in calls:
        layer, path = call.layer, paths.get(id(call.layer), call.layer.name)
        fed = tuple(at[i] for i in call.inputs)
        step = _step(layer, path, fed, steps)
        steps.append(step)
        layers.append(layer)
        if _activation(layer) in _MIXING:
            steps.append(Step('mix', (len(steps) - 1,), step.units))
            layers.append(layer)
        at.append(len(steps) - 1)
    return Network(steps, [at[i] for i in outputs]), layers


def all_masks(model: Model, network: Network, mask: Any) -> dict[str, np.ndarray]:
    """Kernel path -> mask, of ones for the kernels that nobody prunes."""
    shapes = {path: tuple(variable.shape) for path, variable in graph.variables(model).items()}
    wanted = {step.kernel for step in network.steps if step.kind == 'kernel'}
    return {p: mask[p] if p in mask else np.ones(shapes[p], bool) for p in sorted(wanted)}


def _step(layer: Any, path: str, fed: tuple[int, ...], steps: list[Step]) -> Step:
    name = type(layer).__name__
    sizes = [steps[i].units for i in fed]
    if name == 'InputLayer':
        shape = layer.input_shape[0] if isinstance(layer.input_shape, list) else layer.input_shape
        if None in shape[-1:]:
            raise _refused(path, 'an input whose last axis has no fixed size')
        return Step('input', (), int(shape[-1]))
    if getattr(layer, 'data_format', 'channels_last') != 'channels_last':
        raise _refused(path, 'channels come first')
    if name in _KERNELS:
        _check_activation(layer, path)
        if getattr(layer, 'groups', 1) != 1:
            raise _refused(path, 'a convolution in groups')
        return Step('kernel', fed, int(layer.kernel.shape[-1]), f'{path}/kernel')
    if name == 'Flatten' or (name == 'Reshape' and len(layer.target_shape) == 1):
        return Step('flatten', fed, int(layer.output_shape[-1]))
    if name == 'Concatenate' and layer.axis in (-1, len(layer.output_shape) - 1):
        return Step('concatenate', fed, sum(sizes))
    if name == 'Softmax':
        return Step('mix', fed, sizes[0])
    if name in _MERGES:
        if len(set(sizes)) != 1:
            raise _refused(path, 'inputs of unlike numbers of channels')
        return Step('merge', fed, sizes[0])
    if name in _SAME:
        axis = getattr(layer, 'axis', None)
        if name == 'BatchNormalization' and list(axis) != [len(layer.input_shape) - 1]:
            raise _refused(path, f'batch normalisation of axis {list(axis)}, not the last')
        _check_activation(layer, path)
        return Step('same', fed, sizes[0])
    raise _refused(path, f'a layer of class {name}')


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, 'activation', None), '__name__', '')


def _check_activation(layer: Any, path: str) -> None:
    function = getattr(layer, 'activation', None)
    if function is None or isinstance(function, tf_keras.layers.Layer):
        inner = type(function).__name__ if function is not None else 'linear'
        if function is None or inner in ('ReLU', 'LeakyReLU', 'ELU', 'PReLU'):
            return
        raise _refused(path, f'an activation of class {inner}')
    known = _activation(layer)
    if known not in (*_ELEMENTWISE, *_MIXING):
        raise _refused(path, f'the activation {known or function!r}')


def _refused(path: str, why: str) -> errors.ModelError:
    return errors.ModelError(
        f'layer {path!r}: expected layers that can be followed unit by unit, received {why}; the '
        'other analyses do not need it'
    )
