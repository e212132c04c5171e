"""Which weights of a layer are kernels, of which kind, and why the others are left alone."""

import dataclasses
from typing import Any

from lth_keras import graph
from lth_keras._compat import (
    Conv,
    DepthwiseConv,
    Model,
    SeparableConv,
    TFOpLambda,
    layers,
    tf_keras,
)

KINDS = ('dense', 'conv', 'shortcut', 'output')

# First match wins, by isinstance, so that a user's subclass of Dense is a Dense. An empty tuple
# of attributes means: known, and left alone for the reason in the last column.
_KNOWN: list[tuple[type | tuple[type, ...], tuple[str, ...], str]] = [
    (layers.MultiHeadAttention, (), 'attention layers make their kernels when first called'),
    (DepthwiseConv, (), 'depthwise kernels are never pruned'),
    (SeparableConv, ('pointwise_kernel',), 'conv'),
    (Conv, ('kernel',), 'conv'),
    ((layers.LocallyConnected1D, layers.LocallyConnected2D), ('kernel',), 'conv'),
    ((layers.Dense, layers.EinsumDense), ('kernel',), 'dense'),
    (
        (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell),
        ('kernel', 'recurrent_kernel'),
        'dense',
    ),
    (layers.Embedding, (), 'embedding tables are never pruned'),
    (
        (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization),
        (),
        'normalisation parameters are never pruned',
    ),
]
_ADDITIONS = {'math.add', '__operators__.add', 'add'}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A weight that may be pruned: where it is, and what it is.

    `path` is `layer/attribute`; `owner` is the layer or sublayer that holds it as the attribute
    `attribute` (`inside` is the attribute path from the layer of the model down to the owner).
    """

    path: str
    layer_path: str
    inside: tuple[str, ...]
    attribute: str
    owner: Any
    kind: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight array."""
        return tuple(getattr(self.owner, self.attribute).shape)

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(getattr(self.owner, self.attribute).shape.num_elements())


def kernels(model: Model) -> tuple[list[Kernel], dict[str, str]]:
    """All kernels of a model in the order of its layers, and the reason for each layer without.

    Kinds: 'output' is the last kernel on each path to a model output; 'shortcut' a 1x1 convolution
    that carries a residual connection around other convolutions; else 'conv' or 'dense'.
    """
    found: list[Kernel] = []
    reasons: dict[str, str] = {}
    for path, layer in graph.named_layers(model):
        mine, reason = kernels_of(path, graph.unwrap(layer))
        found += mine
        if not mine and graph.unwrap(layer).weights:
            reasons[path] = reason
    structure = _structure(model, {id(graph.unwrap(k)) for _, k in graph.named_layers(model)})
    by_path = {path: graph.unwrap(layer) for path, layer in graph.named_layers(model)}
    return [
        dataclasses.replace(k, kind=structure.get(id(by_path[k.layer_path]), k.kind)) for k in found
    ], reasons


def kernels_of(path: str, layer: Any) -> tuple[list[Kernel], str]:
    """Kernels of one layer (kinds 'dense' and 'conv' only), and the reason if there is none."""
    found = []
    reason = f'no kernel is known for layers of class {type(layer).__name__}'
    stop: list[tuple[str, ...]] = []
    for inside, thing in graph.attributes(layer):
        if not isinstance(thing, tf_keras.layers.Layer):
            continue
        if any(inside[: len(done)] == done for done in stop):
            continue
        for classes, names, kind in _KNOWN:
            if isinstance(thing, classes):
                stop.append(inside)
                if not names and inside == ():
                    reason = kind
                for name in names:
                    # A layer that replaces the attribute by something computed cannot be held.
                    if getattr(vars(thing).get(name), 'shape', None) is not None:
                        full = '/'.join((path, *inside, name))
                        found.append(Kernel(full, path, inside, name, thing, kind))
                break
    return found, reason


def _is_addition(layer: Any) -> bool:
    if isinstance(layer, TFOpLambda):
        return layer.symbol in _ADDITIONS or layer.symbol.endswith('.add')
    return isinstance(layer, layers.Add)


def _structure(model: Model, known: set[int]) -> dict[int, str]:
    """id(layer) -> 'output' or 'shortcut', for the layers whose place in the graph decides."""
    calls, outputs = graph.calls(model)
    prunable = {
        i for i, call in enumerate(calls) if id(call.layer) in known and _has_kernel(call.layer)
    }
    kinds: dict[int, str] = {}
    for call in calls:
        if _is_addition(call.layer):
            for branch in call.inputs:
                others = [other for other in call.inputs if other != branch]
                end = _last_kernel(calls, branch, prunable)
                if end is not None and _is_shortcut(calls, end, others, prunable):
                    kinds[id(calls[end].layer)] = 'shortcut'
    seen: set[int] = set()
    stack = list(outputs)
    while stack:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        if i in prunable:
            kinds[id(calls[i].layer)] = 'output'
        else:
            stack += calls[i].inputs
    return kinds


def _has_kernel(layer: Any) -> bool:
    return bool(kernels_of('', layer)[0])


def _last_kernel(calls: list[graph.Call], i: int, prunable: set[int]) -> int | None:
    """The kernel that a branch ends in, through single-input layers such as normalisation."""
    while i not in prunable:
        if len(calls[i].inputs) != 1:
            return None
        i = calls[i].inputs[0]
    return i


def _is_shortcut(calls: list[graph.Call], i: int, others: list[int], prunable: set[int]) -> bool:
    layer = calls[i].layer
    if not isinstance(layer, Conv) or set(layer.kernel_size) != {1} or len(calls[i].inputs) != 1:
        return False
    source = calls[i].inputs[0]
    # The other branch must start where this one does, hold convolutions of its own, and not come
    # out of this one (a 1x1 stem before an identity shortcut is no shortcut).
    return any(_reaches(calls, other, source, i, prunable) for other in others)


def _reaches(
    calls: list[graph.Call], start: int, goal: int, blocked: int, prunable: set[int]
) -> bool:
    stack, seen = [(start, 0)], set()
    while stack:
        i, passed = stack.pop()
        if (i, passed) in seen or i == blocked:
            continue
        seen.add((i, passed))
        if i == goal:
            if passed:
                return True
            continue
        more = min(1, passed + (i in prunable))
        stack += [(j, more) for j in calls[i].inputs]
    return False
