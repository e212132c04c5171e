"""Effective weights against brute force: does the function of a network notice a weight?"""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import layers, tf_keras
from lth_keras.analysis import flow, following
from lth_keras.mask import Mask
from tests import nets


def perceptron(activation=None):
    sizes = (4, 4, 2)
    return tf_keras.Sequential(
        [
            layers.Dense(n, activation, **({} if i else {'input_shape': (4,)}))
            for i, n in enumerate(sizes)
        ]
    )


def convolutional(activation=None, padding='valid'):
    return tf_keras.Sequential(
        [
            layers.Conv2D(3, 2, padding=padding, activation=activation, input_shape=(7, 7, 2)),
            layers.AveragePooling2D(),
            layers.Conv2D(3, 2, activation=activation, padding=padding),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation=activation),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


def padded(activation=None):
    return convolutional(activation, 'same')


def residual(activation=None):
    x = inputs = layers.Input((2, 2, 2))
    x = layers.Conv2D(3, 1, name='stem')(x)
    y = layers.Activation(activation or 'linear')(
        layers.Conv2D(3, 2, padding='same', name='one')(x)
    )
    y = layers.Conv2D(3, 1, name='two')(y)
    x = layers.Add()([x, y])
    x = layers.Concatenate()([x, layers.Conv2D(2, 1, name='three')(x)])
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(inputs, layers.Dense(2, name='head')(x))


def shared(activation=None):
    inputs = layers.Input((3,))
    twice = layers.Dense(3, activation, name='twice')
    return tf_keras.Model(inputs, layers.Dense(2, name='head')(twice(twice(inputs))))


BUILDERS = [perceptron, convolutional, residual, shared]


def prepared(build, seed, density, activation=None):
    """The model with random positive weights under a random mask."""
    rng = np.random.default_rng(seed)
    model = build(activation)
    network, _ = following.follow(model)
    known = graph.variables(model)
    masks = {
        p: rng.random(m.shape) < density for p, m in following.all_masks(model, network, {}).items()
    }
    for path, variable in known.items():
        value = rng.uniform(0.5, 1.5, variable.shape)
        variable.assign(np.where(masks[path], value, 0) if path in masks else value)
    return model, network, masks, known


def slopes(model):
    """Reads the slope of a linear network: one row per input element."""
    shape = model.input_shape[1:]
    x = np.eye(int(np.prod(shape)), dtype=np.float32).reshape(-1, *shape)
    compute = tf.function(lambda: model(x, training=False) - model(0 * x, training=False))
    return lambda: compute().numpy()


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('build', [*BUILDERS, padded], ids=lambda b: b.__name__)
def test_a_weight_is_effective_if_the_slope_of_the_network_knows_it(build, seed):
    """A linear network with positive weights: the slope knows exactly the weights on paths."""
    density = 0.4 if build in (perceptron, shared) else 0.2
    model, network, masks, known = prepared(build, seed, density)
    found, slope, idle = flow.effective(network, masks), slopes(model), 0
    before = slope()
    for path, mask in masks.items():
        value = known[path].numpy()
        for index in zip(*np.nonzero(mask), strict=True):
            without = value.copy()
            without[index] = 0
            known[path].assign(without)
            noticed = bool(np.abs(slope() - before).max() > 1e-5)
            # Of a place that alone is heard some taps may lie in the padding: counted, not noticed.
            assert (
                noticed <= found[path][index] if build is padded else noticed == found[path][index]
            )
            idle += not found[path][index]
        known[path].assign(value)
        assert not np.any(found[path] & ~mask)
    assert idle > 0  # else the masks were too dense to try anything


@pytest.mark.parametrize('build', BUILDERS, ids=lambda b: b.__name__)
def test_constant_units_are_constant_and_unused_ones_unheard(build):
    for seed in range(4):
        model, network, masks, known = prepared(build, seed, 0.25, 'relu')
        calls, _ = graph.calls(model)
        alive, used = flow.live(network, masks), flow.used(network, masks)
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(6, *model.input_shape[1:])).astype(np.float32)
        if build is not shared:  # one output per layer
            ends = [c.layer.output for c in calls]
            values = tf_keras.Model(model.inputs, ends)(x)
            for flags, value in zip(alive, values, strict=True):
                constant = np.asarray(value)[..., ~flags]
                assert np.abs(constant - constant[:1]).max(initial=0) < 1e-6
        before = np.asarray(model(x))
        for step, wanted in zip(network.steps, used, strict=True):
            if step.kind == 'kernel' and build is not shared:
                value = known[step.kernel].numpy()
                known[step.kernel].assign(np.where(wanted, value, 7.0))
        assert np.array_equal(before, np.asarray(model(x)))


def test_constants_can_be_folded_into_the_next_bias():
    """Without the idle units and with their constants in the biases the outputs are the same."""
    for seed in range(5):
        model, network, masks, known = prepared(perceptron, seed, 0.3, 'relu')
        x = np.random.default_rng(seed).normal(size=(9, 4)).astype(np.float32)
        before, found = np.asarray(model(x)), flow.effective(network, masks)
        constant = np.zeros(4)
        alive = flow.live(network, masks)
        for step, fed, paths in zip(
            network.steps[1:],
            alive,
            zip(masks, [p for p in known if 'bias' in p], strict=True),
            strict=False,
        ):
            kernel, bias = (known[p].numpy() for p in paths)
            folded = bias + np.where(fed, 0, constant) @ kernel
            known[paths[0]].assign(np.where(found[step.kernel], kernel, 0))
            known[paths[1]].assign(folded)
            constant = np.maximum(folded, 0)
        assert np.allclose(before, np.asarray(model(x)), atol=1e-5)


def test_flatten_by_hand():
    """Two places of two channels: rows 0 and 2 are of channel 0, rows 1 and 3 of channel 1."""
    steps = [flow.Step('input', units=1), flow.Step('kernel', (0,), 2, 'conv')]
    steps += [flow.Step('flatten', (1,), 4), flow.Step('kernel', (2,), 1, 'dense')]
    network = flow.Network(steps, [3])
    masks = {'conv': np.array([[1, 0]], bool), 'dense': np.array([[0], [1], [1], [1]], bool)}
    found = flow.effective(network, masks)
    assert found['conv'].tolist() == [[True, False]]
    assert found['dense'][:, 0].tolist() == [False, False, True, False]
    masks['dense'][2] = False  # channel 0 is heard nowhere any more
    assert not any(array.any() for array in flow.effective(network, masks).values())
    dead = flow.touching(network, masks, {1: np.array([True, False])})
    assert dead['dense'][:, 0].tolist() == [True, False, True, False]
    assert dead['conv'].tolist() == [[True, False]]


def test_a_sum_is_dead_where_all_its_parts_are():
    """x -> a -> ReLU, x -> b -> ReLU, sum -> c."""
    steps = [
        flow.Step('input', units=2),
        flow.Step('kernel', (0,), 2, 'a'),
        flow.Step('same', (1,), 2),
    ]
    steps += [flow.Step('kernel', (0,), 2, 'b'), flow.Step('same', (3,), 2)]
    steps += [flow.Step('merge', (2, 4), 2), flow.Step('kernel', (5,), 1, 'c')]
    network = flow.Network(steps, [6])
    masks = {'a': np.ones((2, 2), bool), 'b': np.ones((2, 2), bool), 'c': np.ones((2, 1), bool)}
    found = flow.touching(network, masks, {2: np.array([True, True]), 4: np.array([False, True])})
    assert found['a'].all() and found['b'].tolist() == [[False, True]] * 2
    assert found['c'][:, 0].tolist() == [False, True]


def test_softmax_mixes():
    model = tf_keras.Sequential(
        [layers.Dense(3, 'softmax', input_shape=(2,), name='a'), layers.Dense(1, name='b')]
    )
    network, kinds = following.follow(model)
    assert [s.kind for s in network.steps] == ['input', 'kernel', 'mix', 'kernel']
    assert len(kinds) == 4
    masks = {
        'a/kernel': np.array([[1, 0, 0], [0, 0, 0]], bool),
        'b/kernel': np.array([[0], [1], [0]], bool),
    }
    found = flow.effective(network, masks)
    # Unit 0 moves the shares of the others.
    assert found['a/kernel'].sum() == 1 and found['b/kernel'].sum() == 1


@pytest.mark.parametrize(
    ('layer', 'shape', 'named'),
    [
        (lambda: layers.DepthwiseConv2D(2, name='odd'), (4, 4, 2), 'DepthwiseConv2D'),
        (lambda: layers.Conv2D(4, 2, groups=2, name='odd'), (4, 4, 2), 'in groups'),
        (lambda: layers.Conv2DTranspose(2, 2, name='odd'), (4, 4, 2), 'Conv2DTranspose'),
        (lambda: layers.Flatten('channels_first', name='odd'), (4, 4, 2), 'channels come first'),
        (lambda: layers.BatchNormalization(axis=1, name='odd'), (4, 4, 2), 'axis'),
        (lambda: layers.LSTM(3, name='odd'), (4, 2), 'LSTM'),
        (
            lambda: layers.Dense(3, activation=lambda x: x[..., ::-1], name='odd'),
            (4,),
            'activation',
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(layer, shape, named):
    inputs = layers.Input(shape)
    with pytest.raises(errors.ModelError, match=f"layer 'odd'.*{named}"):
        following.follow(tf_keras.Model(inputs, layer()(inputs)))


def test_networks_of_the_package_are_followed():
    from lth_keras.models import MODELS

    for name in MODELS:
        model = MODELS.get(name)((32, 32, 3), 10)
        network, _ = following.follow(model)
        masks = following.all_masks(model, network, Mask({}))
        found = flow.effective(network, masks)
        assert all(array.all() for array in found.values()), name
        kernels = {path for path in graph.variables(model) if path.endswith('kernel')}
        assert set(found) == kernels


def test_nested_models_are_followed():
    network, _ = following.follow(nets.nested())
    assert sum(step.kind == 'kernel' for step in network.steps) == 4
