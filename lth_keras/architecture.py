"""A model as text: its configuration with names that do not depend on the process."""

import json
from collections.abc import Mapping
from typing import Any

from lth_keras import errors, graph
from lth_keras._compat import Model, seedable_generators, tf_keras

MODELS = ('Functional', 'Model', 'Sequential')
WRAPPER = 'MaskedLayer'


def to_json(model: Model) -> str:
    """The model's configuration as canonical JSON, automatic names renumbered, without wrappers.

    Two builds of one builder give the same text, in any process, whatever was built before.
    `from_json` makes a model of it again.

    Raises:
      ModelError: a layer without get_config.
    """
    try:
        config = json.loads(model.to_json())
    except Exception as e:
        raise errors.ModelError(
            f'model {model.name!r} has no description ({type(e).__name__}: {e}); give its layers '
            'get_config'
        ) from e
    for key in ('keras_version', 'backend'):  # how it was saved, not what it is
        config.pop(key, None)
    name = graph.automatic(config['class_name'], config['config']['name'])
    _rename_model(config, name or config['config']['name'])
    return json.dumps(config, sort_keys=True)


def from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The model that `to_json` described, with weights of its own and random layers to reseed.

    Raises:
      ModelError: a layer class that this process does not know.
    """
    try:
        with seedable_generators():
            return tf_keras.models.model_from_json(text, custom_objects=custom_objects)
    except Exception as e:
        raise errors.ModelError(
            f'the model cannot be made from its description ({type(e).__name__}: {e}); import the '
            'module that registers its layers, or pass custom_objects'
        ) from e


def _rename_model(model: dict[str, Any], name: str) -> None:
    """Renames one model in place, and the models and layers inside it, each in its own scope."""
    config = model['config']
    config['name'] = name
    old = [_name(layer) for layer in config['layers']]
    layers = config['layers'] = [_bare(layer) for layer in config['layers']]
    new = graph.renumbered([(_class(layer), _name(layer)) for layer in layers])
    if model['class_name'] == 'Sequential':
        for i, layer in enumerate(layers[:-1]):
            # The input of a Sequential model is named after the layer that follows it.
            if layer['class_name'] == 'InputLayer' and old[i] == f'{_name(layers[i + 1])}_input':
                new[i] = f'{new[i + 1]}_input'
    for layer, its_name in zip(layers, new, strict=True):
        if layer['class_name'] in MODELS and 'layers' in layer['config']:
            _rename_model(layer, its_name)
        else:
            layer['config'].pop('rng_type', None)  # how random numbers are made, not what it is
            _rename_inside(layer['config'])
            layer['config']['name'] = its_name
        if 'name' in layer:
            layer['name'] = its_name
    names = dict(zip(old, new, strict=True))
    for layer in layers:
        if 'inbound_nodes' in layer:
            layer['inbound_nodes'] = _referring(layer['inbound_nodes'], names)
    for key in ('input_layers', 'output_layers'):
        if key in config:
            config[key] = _referring(config[key], names)


def _bare(layer: dict[str, Any]) -> dict[str, Any]:
    """The layer inside a pruning wrapper, in the wrapper's place in the graph."""
    if _class(layer) != WRAPPER:
        return layer
    inside = dict(layer['config']['layer'])
    if 'inbound_nodes' in layer:
        inside |= {'inbound_nodes': layer['inbound_nodes'], 'name': inside['config']['name']}
    return inside


def _class(layer: dict[str, Any]) -> str:
    return layer['class_name'].split('>')[-1]


def _name(layer: dict[str, Any]) -> str:
    return layer.get('name') or layer['config']['name']


def _rename_inside(value: Any) -> None:
    """Takes the numbers off automatic names of layers within a layer (cells, wrapped layers)."""
    entries = value.values() if isinstance(value, dict) else value
    for entry in entries:
        if isinstance(entry, dict):
            config = entry.get('config')
            if 'class_name' in entry and isinstance(config, dict) and 'name' in config:
                base = graph.automatic(_class(entry), str(config['name']))
                config['name'] = base or config['name']
                config.pop('rng_type', None)
            _rename_inside(entry)
        elif isinstance(entry, list):
            _rename_inside(entry)


def _referring(value: Any, names: Mapping[str, str]) -> Any:
    """`value` with the names in references to tensors, [layer, node, tensor, ...], replaced."""
    if isinstance(value, dict):
        return {key: _referring(entry, names) for key, entry in value.items()}
    if not isinstance(value, list):
        return value
    reference = (
        len(value) >= 3
        and isinstance(value[0], str)
        and value[0] in names
        and all(isinstance(number, int) for number in value[1:3])
    )
    rest = [_referring(entry, names) for entry in value[1 if reference else 0 :]]
    return [names[value[0]], *rest] if reference else rest
