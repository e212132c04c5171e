"""Paths, variables, calls, and the architecture as text."""

import json

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import architecture, errors, graph
from lth_keras._compat import layers, tf_keras
from lth_keras.draws import Draws
from lth_keras.pruning import MaskedLayer, PruningPolicy, wrapping
from tests import nets


def two_inputs():
    a, b = layers.Input((6,)), layers.Input((4,), name='side')
    x = layers.Concatenate()([layers.Dense(5)(a), b])
    return tf_keras.Model([a, b], [layers.Dense(3)(x), layers.Dense(2)(x)])


def inner_layers():
    """Layers that hold layers, whose names Keras counts too."""
    return tf_keras.Sequential(
        [
            layers.TimeDistributed(layers.Dense(5), input_shape=(4, 3)),
            layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True)),
            layers.RNN(layers.SimpleRNNCell(4)),
            layers.Dense(3),
        ]
    )


def operations():
    """TensorFlow functions and operators in place of layers."""
    x = inputs = layers.Input((6,))
    x = tf.nn.relu(layers.Dense(6)(x)) + x
    x = 2.0 * x - x[:, ::-1]
    return tf_keras.Model(inputs, layers.Dense(3)(tf.concat([x, inputs], -1)))


def named_inside():
    """A model within a model that has names of its own which Keras could have given outside."""
    inner = tf_keras.Sequential(
        [layers.Dense(5, name='dense', input_shape=(6,)), layers.Dense(4, name='dense_1')]
    )
    x = inputs = layers.Input((6,))
    x = layers.Dense(7)(inner(x))
    return tf_keras.Model(inputs, layers.Dense(3)(x))


def shared():
    inputs = layers.Input((6,))
    twice = layers.Dense(6, activation='relu')
    inner = tf_keras.Sequential([layers.Dense(6, input_shape=(6,))])
    return tf_keras.Model(inputs, layers.Dense(3)(inner(twice(inner(twice(inputs))))))


BUILDERS = [
    *(nets.dense, nets.normalised, nets.residual, nets.nested, nets.resnet),
    *(two_inputs, inner_layers, operations, named_inside, shared),
]
each_builder = pytest.mark.parametrize('build', BUILDERS, ids=lambda build: build.__name__)


def examples(model):
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    x = [nets.examples(shape, seed=seed)[0] for seed, shape in enumerate(shapes)]
    return x if len(x) > 1 else x[0]


def outputs(model, x):
    found = model(x)
    return [np.asarray(one) for one in (found if isinstance(found, list) else [found])]


# -- paths


def test_paths_are_chains_of_names():
    found = [path for path, _ in graph.named_layers(nets.nested())]
    assert [path for path in found if 'input' not in path] == [
        'model/dense',
        'model/dense_1',
        'sequential/dense',
        'sequential/dense_1',
    ]


@each_builder
def test_paths_do_not_depend_on_what_was_built_before(build):
    one = build()
    tf_keras.Sequential([layers.Dense(2), layers.Conv2D(2, 2)]), layers.Input((2,))
    other = build()
    kept = [
        [path for path, layer in graph.named_layers(model) if layer.weights]
        for model in (one, other)
    ]
    assert kept[0] == kept[1]
    assert list(graph.variables(one)) == list(graph.variables(other))
    shapes = [[tuple(v.shape) for v in graph.variables(m).values()] for m in (one, other)]
    assert shapes[0] == shapes[1]


@each_builder
def test_variables_are_all_weights_once(build):
    model = build()
    found = list(graph.variables(model).values())
    assert len({id(variable) for variable in found}) == len(found) == len(model.weights)
    assert {id(variable) for variable in found} == {id(variable) for variable in model.weights}


def test_variables_of_a_wrapped_model_are_those_of_the_bare_one():
    for build in (nets.resnet, nets.nested, inner_layers):
        model = build()
        wrapped = PruningPolicy().wrap(model)
        assert list(graph.variables(wrapped)) == list(graph.variables(model))
        assert len(wrapped.weights) > len(model.weights)  # masks and more


def test_random_generators_are_no_variables():
    assert list(graph.variables(PruningPolicy().wrap(nets.noisy))) == [
        *('dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias')
    ]


def test_weights_that_have_no_attribute_have_a_path_too():
    class Many(layers.Layer):
        def build(self, shape):
            for number in range(2):
                self.add_weight(shape=(3,), name=f'part{number}')
            self.own = [self.add_weight(shape=(2,), name='listed')]

        def call(self, inputs):
            return inputs

    model = tf_keras.Sequential([layers.Input((6,)), Many(name='many')])
    paths = list(graph.variables(model))
    assert len(paths) == 3 and all(path.startswith('many/') for path in paths)
    values = {path: np.full(v.shape, 7.0) for path, v in graph.variables(model).items()}
    wrapping.assign(model, values)
    assert nets.unlike(wrapping.read(model), {p: np.float32(v) for p, v in values.items()}) == []


# -- calls


def test_calls_tell_who_feeds_whom():
    calls, ends = graph.calls(nets.residual())
    kinds = [type(call.layer).__name__ for call in calls]
    assert kinds == ['InputLayer', 'Dense', 'Dense', 'TFOpLambda', 'Dense']
    assert [call.inputs for call in calls] == [(), (0,), (1,), (1, 2), (3,)]
    assert ends == [4]


def test_calls_spread_out_nested_models_and_unwrap():
    given = nets.nested()
    for model in (given, PruningPolicy().wrap(given)):
        calls, ends = graph.calls(model)
        assert [type(c.layer).__name__ for c in calls] == ['InputLayer', *['Dense'] * 4]
        assert [call.inputs for call in calls] == [(), (0,), (1,), (2,), (3,)]
        assert ends == [4]


def test_calls_of_a_shared_layer_are_several():
    calls, _ = graph.calls(shared())
    assert len(calls) == 6 and len({id(call.layer) for call in calls}) == 4


def test_calls_keep_the_order_of_outputs():
    calls, ends = graph.calls(two_inputs())
    assert [calls[end].layer.units for end in ends] == [3, 2]


# -- models that are refused


def test_two_layers_with_one_renumbered_name_are_refused():
    model = tf_keras.Sequential(
        [layers.Input((6,)), layers.ReLU(name='dense'), layers.Dense(3, name='dense_7')]
    )
    with pytest.raises(errors.ModelError, match="both called 'dense'.*rename"):
        list(graph.named_layers(model))


# -- architecture


@each_builder
def test_architecture_is_the_same_text_for_each_build(build):
    one = architecture.to_json(build())
    layers.Dense(1), layers.Add(), layers.Input((1,)), tf_keras.Sequential()
    layers.LSTM(1), layers.SimpleRNN(1), layers.SimpleRNNCell(1), nets.residual()
    assert architecture.to_json(build()) == one
    json.loads(one)


def test_names_of_a_model_inside_are_not_mixed_up_with_those_outside():
    tf_keras.backend.reset_uids()
    layers.Dense(1)  # takes the name 'dense': the layers outside are called dense_1 and dense_2
    model = named_inside()
    assert [layer.name for layer in model.layers[-2:]] == ['dense_1', 'dense_2']
    text = architecture.to_json(model)
    assert text == architecture.to_json(named_inside())
    copy = architecture.from_json(text)
    wrapping.assign(copy, wrapping.read(model))
    x, _ = nets.examples()
    np.testing.assert_array_equal(model(x), copy(x))


def test_architectures_of_other_models_differ():
    texts = {architecture.to_json(build()) for build in BUILDERS}
    texts.add(architecture.to_json(nets.dense(11)))
    texts.add(architecture.to_json(nets.dense(kernel_initializer='he_normal')))
    assert len(texts) == len(BUILDERS) + 2


@each_builder
def test_a_model_made_of_its_architecture_is_an_equal(build):
    build()  # so that automatic names are not those of a first build
    model = build()
    copy = architecture.from_json(architecture.to_json(model))
    wrapping.assign(copy, wrapping.read(model))
    x = examples(model)
    for one, other in zip(outputs(model, x), outputs(copy, x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert architecture.to_json(copy) == architecture.to_json(model)
    assert list(graph.variables(copy)) == list(graph.variables(model))


def test_the_architecture_has_no_wrappers():
    model = nets.residual()
    copy = architecture.from_json(architecture.to_json(PruningPolicy().wrap(model)))
    assert not any(isinstance(layer, MaskedLayer) for layer in copy.layers)
    assert architecture.to_json(copy) == architecture.to_json(model)


def test_values_that_only_look_like_names_stay():
    """Layers that are used in another order than they were made; one is called as an activation."""
    first, second = layers.Softmax(name='softmax'), layers.Softmax(name='softmax_1')
    inputs = layers.Input((6,))
    x = layers.Dense(5, activation='softmax')(second(inputs))
    model = tf_keras.Model(inputs, first(x))
    copy = architecture.from_json(architecture.to_json(model))
    wrapping.assign(copy, wrapping.read(model))
    x, _ = nets.examples()
    np.testing.assert_array_equal(model(x), copy(x))


class Mine(layers.Dense):
    """A layer that nobody registered."""


def test_unknown_layers_are_named_and_can_be_passed():
    model = tf_keras.Sequential([layers.Input((6,)), Mine(3)])
    text = architecture.to_json(model)
    with pytest.raises(errors.ModelError, match='Mine.*custom_objects'):
        architecture.from_json(text.replace('tests.test_graph', 'nowhere'))
    copy = architecture.from_json(text, {'Mine': Mine})
    assert type(copy.layers[-1]) is Mine
    with pytest.raises(errors.ModelError, match='cannot be made'):
        architecture.from_json('{}')


def test_a_random_layer_made_of_its_architecture_can_be_seeded():
    model = nets.noisy()
    copy = architecture.from_json(architecture.to_json(model))
    wrapping.assign(copy, wrapping.read(model))
    x, _ = nets.examples()
    found = []
    for one, seed in [(model, 1), (copy, 1), (copy, 2)]:
        draws = Draws(one)
        with draws.at(tf.constant(0, tf.int64), tf.constant(draws.keys(seed))):
            found.append(one(x, training=True).numpy().tobytes())
    assert found[0] == found[1] != found[2]


# -- attributes and unwrap


def test_attributes_come_once_each():
    layer = layers.Bidirectional(layers.SimpleRNN(3))
    layer.build((None, 4, 2))
    found = [thing for _, thing in graph.attributes(layer)]
    assert len({id(thing) for thing in found}) == len(found)
    paths = ['/'.join(path) for path, _ in graph.attributes(layer)]
    assert 'forward_layer/cell/kernel' in paths and 'backward_layer/cell/kernel' in paths


def test_unwrap():
    wrapped = PruningPolicy().wrap(nets.dense)
    assert isinstance(wrapped.layers[0], MaskedLayer)
    assert type(graph.unwrap(wrapped.layers[0])) is layers.Dense
    plain = layers.Dense(1)
    assert graph.unwrap(plain) is plain
