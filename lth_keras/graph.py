"""A model as plain data: paths of its layers and variables, and who feeds whom.

A *path* is the chain of layer names inside the model. Automatic names (`dense_7`) depend on what
the process built before; here they are renumbered within their model, so that two builds of one
builder have the same paths.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from lth_keras import errors
from lth_keras._compat import (
    Model,
    PruneLowMagnitude,
    Sequential,
    is_graph_network,
    is_keras3_model,
    layers,
    to_snake_case,
)

# Layers that Keras makes of TensorFlow calls in a functional model.
_NAMED_AFTER_OPERATIONS = (
    *('TFOpLambda', 'SlicingOpLambda', 'ClassMethod'),
    *('InstanceMethod', 'InstanceProperty'),
)


def unwrap(layer: Any) -> Any:
    """The layer inside a pruning wrapper, or the layer itself."""
    return layer.layer if isinstance(layer, PruneLowMagnitude) else layer


def check_model(model: Any) -> None:
    """Raises a ModelError unless `model` is a built functional or Sequential tf_keras model."""
    if is_keras3_model(model):
        raise errors.ModelError(
            'expected a tf_keras model, received a Keras 3 model '
            f'({type(model).__module__}.{type(model).__name__}); build it with `import tf_keras` '
            'instead of `import keras`: tfmot works on Keras 2 only'
        )
    if not isinstance(model, Model):
        raise errors.ModelError(
            f'expected a tf_keras.Model, received {type(model).__name__}; pass a function that '
            'returns a Sequential or functional model'
        )
    if not is_graph_network(model):
        why = (
            'not built: give its first layer an input_shape'
            if isinstance(model, Sequential)
            else ('subclassed: write it with the functional API (layers of your own are fine)')
        )
        raise errors.ModelError(
            f'expected a Sequential or functional model, received {model.name!r}, which is {why}'
        )


def renumbered(named: Sequence[tuple[str, str]]) -> list[str]:
    """Names for the layers of one model, given as (class, name): automatic ones count from 0.

    >>> renumbered([('Dense', 'dense_7'), ('Dense', 'first'), ('Dense', 'dense_9')])
    ['dense', 'first', 'dense_1']

    Raises:
      ModelError: two layers would have one name.
    """
    counts: dict[str, int] = {}
    names = []
    for class_name, name in named:
        base = automatic(class_name, name)
        if base is None:
            names.append(name)
        else:
            number = counts.get(base, 0)
            counts[base] = number + 1
            names.append(base if number == 0 else f'{base}_{number}')
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise errors.ModelError(
            f'two layers of one model are both called {sorted(repeated)[0]!r} once automatic '
            'names are renumbered; rename one of them'
        )
    return names


def automatic(class_name: str, name: str) -> str | None:
    """The base of a name that Keras made up ('dense' of 'dense_7'), None if someone chose it."""
    if class_name in _NAMED_AFTER_OPERATIONS:
        return re.sub(r'_\d+$', '', name)
    base = {'Functional': 'model', 'InputLayer': 'input'}.get(class_name, to_snake_case(class_name))
    return base if re.fullmatch(re.escape(base) + r'(_\d+)?', name) else None


def named_layers(model: Model, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """(path, layer) of every layer that is not itself a functional model, wrappers included.

    A shared layer comes once, under its first path.
    """
    seen: set[int] = set()
    yield from _walk(model, prefix, seen)


def _walk(model: Model, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    children = list(model.layers)
    named = [(type(unwrap(child)).__name__, unwrap(child).name) for child in children]
    for name, layer in zip(renumbered(named), children, strict=True):
        if id(unwrap(layer)) in seen:
            continue
        seen.add(id(unwrap(layer)))
        if is_graph_network(layer):
            yield from _walk(layer, f'{prefix}{name}/', seen)
        else:
            yield f'{prefix}{name}', layer


def attributes(layer: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(attribute path, object) of `layer` and all that it tracks, depth first, each object once.

    Attribute names come from the code of the layer and so are the same in every process, which
    the names of Keras variables are not.
    """
    seen: set[int] = set()

    def visit(thing: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if id(thing) in seen:
            return
        seen.add(id(thing))
        yield path, thing
        if hasattr(thing, '_trackable_children'):
            for name, child in thing._trackable_children().items():
                yield from visit(child, (*path, name))

    yield from visit(layer, ())


def variables(model: Model) -> dict[str, Any]:
    """Path -> variable, for every weight of the model that a rewind covers.

    Kernels, biases, normalisation parameters and moving statistics; not the masks of pruning
    wrappers and not the state of random generators.
    """
    result: dict[str, Any] = {}
    for path, layer in named_layers(model):
        inner = unwrap(layer)
        wanted = {id(v): v for v in inner.weights}
        for attribute, thing in attributes(inner):
            if wanted.pop(id(thing), None) is not None:
                result['/'.join((path, *attribute))] = thing
        for number, variable in enumerate(wanted.values()):
            result[f'{path}/{number}:{variable.name.split("/")[-1].split(":")[0]}'] = variable
    return result


@dataclasses.dataclass(frozen=True)
class Call:
    """One use of a layer in the graph; `inputs` are positions of the calls that feed it."""

    layer: Any
    inputs: tuple[int, ...]


def calls(model: Model) -> tuple[list[Call], list[int]]:
    """The graph of layer calls, nested models spread out, and the calls that are outputs."""
    result: list[Call] = []

    def expand(network: Model, given: list[int] | None) -> list[int]:
        made: dict[int, int] = {}
        for position, tensor in enumerate(network.inputs):
            if given is None:
                result.append(Call(tensor._keras_history.layer, ()))
                made[id(tensor)] = len(result) - 1
            else:
                made[id(tensor)] = given[position]
        for depth in sorted(network._nodes_by_depth, reverse=True):
            for node in network._nodes_by_depth[depth]:
                if isinstance(node.layer, layers.InputLayer):
                    continue
                feeds = [made[id(t)] for t in node.keras_inputs if id(t) in made]
                if is_graph_network(node.layer):
                    ends = expand(node.layer, feeds)
                else:
                    result.append(Call(unwrap(node.layer), tuple(feeds)))
                    ends = [len(result) - 1]
                for position, tensor in enumerate(_flat(node.outputs)):
                    made[id(tensor)] = ends[min(position, len(ends) - 1)]
        return [made[id(tensor)] for tensor in network.outputs]

    return result, expand(model, None)


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def attribute(owner: Any, name: str) -> Any:
    """What `owner` tracks under `name`: an attribute, or an entry of a list or dictionary."""
    if isinstance(owner, list | tuple):
        return owner[int(name)]
    if isinstance(owner, dict):
        return owner[name]
    return getattr(owner, name)
