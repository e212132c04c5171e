"""A copy of a model whose chosen kernels are held by pruning wrappers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import (
    Model,
    is_graph_network,
    is_keras3_model,
    seedable_generators,
    tf_keras,
)
from lth_keras.pruning.wrapper import MaskedLayer


def built(build_model: Callable[[], Model] | Model) -> Model:
    """The model that a builder returns, or the model itself, checked."""
    is_model = isinstance(build_model, Model) or is_keras3_model(build_model)
    if callable(build_model) and not is_model:
        try:
            model = build_model()
        except errors.LotteryError:
            raise
        except Exception as e:
            raise errors.ModelError(
                f'the model builder failed with {type(e).__name__}: {e}; it must run on its own'
            ) from e
    else:
        model = build_model
    graph.check_model(model)
    return model


def rebuilt(
    model: Model, held: Mapping[str, Sequence[str]] | None = None, exact_outputs: bool = False
) -> Model:
    """An independent copy of `model` with equal weights, some layers wrapped.

    Variables are not shared with the given model, nor is anything else. Random layers of the copy
    use generators that can be reseeded, compiled or not.

    Args:
      model: a built functional or Sequential model; wrappers in it are taken off first.
      held: layer path -> attribute paths of the kernels to hold; None wraps nothing.
      exact_outputs: makes the layers that give the model's outputs compute in float32.

    Raises:
      ModelError: a layer that cannot be made again from its configuration.
    """
    graph.check_model(model)
    paths = {id(layer): path for path, layer in graph.named_layers(model)}
    made: dict[int, Any] = {}
    exact: set[int] = set()
    if exact_outputs:
        calls, outputs = graph.calls(model)
        exact = {id(calls[position].layer) for position in outputs}

    def clone(layer: Any) -> Any:
        if id(layer) not in made:
            made[id(layer)] = _clone(layer, paths, held or {}, exact, clone)
        return made[id(layer)]

    with seedable_generators():
        copy = tf_keras.models.clone_model(model, clone_function=clone)
    copy_weights(model, copy)
    return copy


def _clone(
    layer: Any,
    paths: Mapping[int, str],
    held: Mapping[str, Sequence[str]],
    exact: set[int],
    clone: Any,
) -> Any:
    if is_graph_network(layer):
        return tf_keras.models.clone_model(layer, clone_function=clone)
    bare = graph.unwrap(layer)
    try:
        config = bare.get_config()
        if id(bare) in exact and 'dtype' in config:
            config['dtype'] = 'float32'
        twin = type(bare).from_config(config)
    except Exception as e:
        raise errors.ModelError(
            f'layer {bare.name!r} of class {type(bare).__name__} cannot be made again from its '
            f'configuration ({type(e).__name__}: {e}); give it get_config and from_config'
        ) from e
    kernels = held.get(paths.get(id(layer), ''), ())
    if not kernels:
        return twin
    if any('/' in kernel for kernel in kernels):
        _build(bare, twin)
    wrapper = MaskedLayer(twin, kernels)
    if hasattr(layer, '_batch_input_shape'):  # lets a Sequential model be built at once
        wrapper._batch_input_shape = layer._batch_input_shape
    return wrapper


def _build(bare: Any, twin: Any) -> None:
    """Builds a copy as the original was: a layer of layers may make its weights when first called.

    Traced on specifications of its inputs, which leaves no node in any Keras graph.
    """
    arguments = bare.inbound_nodes[0].call_args
    specs = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype) if tf_keras.backend.is_keras_tensor(x) else x,
        arguments,
    )
    tf.function(lambda *inputs: twin(*inputs)).get_concrete_function(*specs)


def copy_weights(source: Model, target: Model) -> None:
    """Copies every variable by path."""
    values = {path: variable.numpy() for path, variable in graph.variables(source).items()}
    assign(target, values)


def assign(model: Model, values: Mapping[str, Any]) -> None:
    """Assigns variables by path, all of them.

    Raises:
      ModelError: paths or shapes of `values` are not those of the model.
    """
    variables = graph.variables(model)
    problems = [f'no value for {path!r}' for path in variables if path not in values]
    for path, value in values.items():
        if path not in variables:
            problems.append(f'unknown {path!r}: {errors.did_you_mean(path, variables)}')
        elif tuple(variables[path].shape) != tuple(value.shape):
            problems.append(
                f'{path!r}: expected shape {tuple(variables[path].shape)}, received {value.shape}'
            )
    if problems:
        raise errors.ModelError(
            f'the weights do not fit the model {model.name!r}: ' + '; '.join(problems[:5])
        )
    for path, variable in variables.items():
        variable.assign(values[path])


def read(model: Model) -> dict[str, Any]:
    """Path -> value of every variable that a rewind covers."""
    return {path: variable.numpy() for path, variable in graph.variables(model).items()}
