"""The networks: each builder gives a new uncompiled model for the data at hand; exact counts."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import models, schedules
from lth_keras._compat import layers, tf_keras
from lth_keras.errors import ConfigError
from lth_keras.models import MODELS
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.kernels import kernels as kernels_of


def kernels(model):
    return [layer.kernel for layer in model.layers if hasattr(layer, 'kernel')]


# -- what holds for each of them


@pytest.mark.parametrize('name', MODELS)
def test_a_builder_builds_anew_and_leaves_compiling_to_others(name):
    build = models.builder(name, (32, 32, 3), 7)
    one, other = build(), build()
    assert one is not other
    assert not {id(v) for v in one.weights} & {id(v) for v in other.weights}
    assert one.count_params() == other.count_params()
    assert not one._is_compiled
    assert one._is_graph_network and one.built


@pytest.mark.parametrize('name', MODELS)
def test_a_builder_fits_the_data(name):
    model = models.builder(name, (32, 32, 3), 7)()
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 7)


@pytest.mark.parametrize('name', MODELS)
def test_unseeded_initialisers_follow_the_global_seed(name):
    build = models.builder(name, (32, 32, 3), 7)

    def drawn(seed):
        tf_keras.utils.set_random_seed(seed)
        return [value.numpy() for value in kernels(build())]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    # A seed fixed in the builder would start every replicate alike.
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize('name', MODELS)
def test_a_network_gives_logits_and_can_be_wrapped(name):
    # Biases away from zero, so that a softmax or a cut at zero at the end would show.
    model = models.builder(name, (8, 8, 3), 7)()
    model.layers[-1].bias.assign(np.linspace(-3, 5, 7))
    inputs = np.random.default_rng(0).standard_normal((5, 8, 8, 3)).astype(np.float32)
    outputs = model(inputs, training=False).numpy()
    assert outputs.min() < 0 and outputs.max() > 1
    wrapped = PruningPolicy().wrap(model)
    assert np.array_equal(wrapped(inputs, training=False).numpy(), outputs)


@pytest.mark.parametrize('name', MODELS)
def test_every_kernel_of_a_network_may_be_pruned(name):
    model = models.builder(name, (16, 16, 3), 7)()
    assert sum(k.size for k in kernels_of(model)[0]) == sizes(kernels(model))
    assert [k.kind for k in kernels_of(model)[0]].count('output') == 1
    assert kernels_of(model)[0][-1].kind == 'output'


def sizes(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


# -- LeNet-300-100


@pytest.fixture(scope='module')
def lenet():
    tf_keras.utils.set_random_seed(0)
    return models.builder('lenet_300_100', (28, 28, 1), 10)()


def test_lenet_has_the_counts_of_the_paper(lenet):
    assert [tuple(kernel.shape) for kernel in kernels(lenet)] == [(784, 300), (300, 100), (100, 10)]
    assert sum(int(np.prod(kernel.shape)) for kernel in kernels(lenet)) == 266_200
    assert lenet.count_params() == 266_610
    assert sum(int(np.prod(v.shape)) for v in lenet.trainable_variables) == 266_610


def test_lenet_on_digits():
    model = models.builder('lenet_300_100', (8, 8, 1), 10)()
    assert model.count_params() == 64 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10


def test_lenet_starts_with_gaussian_glorot_and_zero_biases(lenet):
    expected = [(0.04295, 0.09766), (0.07071, 0.16077), (0.13484, 0.30658)]
    for kernel, (std, bound) in zip(kernels(lenet), expected, strict=True):
        value = kernel.numpy()
        assert abs(value.std() / std - 1) < 4 / np.sqrt(2 * value.size)
        assert abs(value.mean()) < 4 * std / np.sqrt(value.size)
        assert np.abs(value).max() <= bound + 1e-5
    for layer in lenet.layers[1:]:
        assert not layer.bias.numpy().any()


def test_lenet_gives_logits(lenet):
    assert [getattr(layer, 'activation', None) for layer in lenet.layers[1:]] == [
        tf_keras.activations.relu,
        tf_keras.activations.relu,
        tf_keras.activations.linear,
    ]


# -- Conv-2, Conv-4, Conv-6

CONVS = {
    # name: kernels, kernels of convolutions, with biases, filters
    'conv_2': (4_300_992, 38_592, 4_301_642, [64, 64]),
    'conv_4': (2_425_024, 259_776, 2_425_930, [64, 64, 128, 128]),
    'conv_6': (2_261_184, 1_144_512, 2_262_602, [64, 64, 128, 128, 256, 256]),
}


@pytest.fixture(scope='module', params=CONVS)
def conv(request):
    """A network on CIFAR-10, and what is known of it."""
    tf_keras.utils.set_random_seed(0)
    return models.builder(request.param, (32, 32, 3), 10)(), *CONVS[request.param]


def test_conv_has_the_counts_of_the_paper(conv):
    model, whole, convolutions, with_biases, filters = conv
    assert sizes(kernels(model)) == whole
    assert sizes(k for k in kernels(model) if len(k.shape) == 4) == convolutions
    assert model.count_params() == with_biases == sizes(model.trainable_variables)
    channels = [3, *filters]
    assert [tuple(kernel.shape) for kernel in kernels(model)] == [
        *((3, 3, *pair) for pair in zip(channels, filters, strict=False)),
        (filters[-1] * (32 >> len(filters) // 2) ** 2, 256),
        (256, 256),
        (256, 10),
    ]


def test_conv_is_put_together_as_described(conv):
    model, *_, filters = conv
    pair = ['Conv2D', 'Conv2D', 'MaxPooling2D']
    expected = [*pair * (len(filters) // 2), 'Flatten', 'Dense', 'Dense', 'Dense']
    assert [type(layer).__name__ for layer in model.layers] == expected
    weighted = [layer for layer in model.layers if layer.weights]
    assert all(layer.activation is tf_keras.activations.relu for layer in weighted[:-1])
    assert weighted[-1].activation is tf_keras.activations.linear
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            assert (layer.padding, layer.strides) == ('same', (1, 1))
        if isinstance(layer, layers.MaxPooling2D):
            assert (layer.pool_size, layer.strides) == ((2, 2), (2, 2))


def test_conv_starts_with_gaussian_glorot_and_zero_biases(conv):
    model = conv[0]
    for kernel in kernels(model):
        value = kernel.numpy()
        area = int(np.prod(value.shape[:-2]))
        std = np.sqrt(2 / (area * (value.shape[-2] + value.shape[-1])))
        assert abs(value.std() / std - 1) < 4 / np.sqrt(2 * value.size)
        assert abs(value.mean()) < 4 * std / np.sqrt(value.size)
        assert np.abs(value).max() <= 2 * std / 0.87962566 + 1e-5
    assert not any(layer.bias.numpy().any() for layer in model.layers if layer.weights)


def test_conv_kinds(conv):
    model, *_, filters = conv
    kinds = [kernel.kind for kernel in kernels_of(model)[0]]
    assert kinds == ['conv'] * len(filters) + ['dense', 'dense', 'output']


@pytest.mark.parametrize(
    ('name', 'rate', 'densities'),
    [
        ('conv_2', 0.1, {11: 0.0881, 14: 0.0457}),
        ('conv_4', 0.1, {11: 0.1106, 12: 0.0918}),
        ('conv_6', 0.15, {7: 0.2661, 10: 0.1529}),
    ],
)
def test_conv_at_the_rates_of_the_paper_has_its_densities(name, rate, densities):
    policy = PruningPolicy(rate=0.2, conv_rate=rate, output_rate=0.1)
    model = models.builder(name, (32, 32, 3), 10)()
    plans = schedules.iterative(policy.counting(model), max(densities))
    found = {plan.round: round(plan.density, 4) for plan in plans if plan.round in densities}
    assert found == densities


@pytest.mark.parametrize('shape', [(28, 28, 1), (8, 8, 1), (9, 12, 3)])
def test_conv_takes_other_images(shape):
    for name, (*_, filters) in CONVS.items():
        model = models.builder(name, shape, 10)()
        pools = len(filters) // 2
        flat = filters[-1] * (shape[0] >> pools) * (shape[1] >> pools)
        assert next(k for k in kernels(model) if len(k.shape) == 2).shape[0] == flat


@pytest.mark.parametrize(
    ('name', 'shape', 'least'),
    [
        ('conv_2', (784,), '2 x 2'),
        ('conv_2', (1, 8, 1), '2 x 2'),
        ('conv_4', (28, 28), '4 x 4'),
        ('conv_6', (8, 7, 3), '8 x 8'),
        ('resnet_20', (784,), '1 x 1'),
        ('resnet_20', (4, 8, 8, 3), '1 x 1'),
    ],
)
def test_inputs_that_are_no_images_are_refused_by_name(name, shape, least):
    with pytest.raises(ConfigError, match=rf'model .{name}.: expected images .*{least} pixels'):
        models.builder(name, shape, 10)()


# -- ResNet-20


@pytest.fixture(scope='module')
def resnet():
    tf_keras.utils.set_random_seed(0)
    return models.builder('resnet_20', (32, 32, 3), 10)()


def test_resnet_has_the_counts_of_the_paper(resnet):
    assert sizes(kernels(resnet)) == 270_896
    assert sizes(k for k in kernels(resnet) if len(k.shape) == 4) == 270_256
    assert sizes(resnet.trainable_variables) == 272_474
    assert resnet.count_params() == 274_042
    shapes = [tuple(kernel.shape) for kernel in kernels(resnet)]
    assert sorted(set(shapes)) == sorted(
        [
            *((3, 3, *pair) for pair in [(3, 16), (16, 16), (16, 32), (32, 32), (32, 64)]),
            *[(3, 3, 64, 64), (1, 1, 16, 32), (1, 1, 32, 64), (64, 10)],
        ]
    )
    counts = [shapes.count((3, 3, n, n)) for n in (16, 32, 64)]
    assert (len(shapes), counts) == (22, [6, 5, 5])


def test_resnet_kinds(resnet):
    kinds = {kernel.path: kernel.kind for kernel in kernels_of(resnet)[0]}
    assert {path for path, kind in kinds.items() if kind == 'shortcut'} == {
        'stage_2_block_1_shortcut/kernel',
        'stage_3_block_1_shortcut/kernel',
    }
    assert [path for path, kind in kinds.items() if kind == 'output'] == ['logits/kernel']
    assert list(kinds.values()).count('conv') == 19
    assert len(kinds) == 22


def test_the_papers_policy_leaves_shortcuts_and_output_alone(resnet):
    policy = PruningPolicy(rate=0.2, output_rate=0, shortcut_rate=0, scope='global')
    counting = policy.counting(resnet)
    assert sum(counting.sizes.values()) == 270_896 - 512 - 2_048 - 640


def test_resnet_is_put_together_as_described(resnet):
    sums = [layer for layer in resnet.layers if isinstance(layer, layers.Add)]
    assert [layer.output_shape for layer in sums] == [
        *[(None, 32, 32, 16)] * 3,
        *[(None, 16, 16, 32)] * 3,
        *[(None, 8, 8, 64)] * 3,
    ]
    convolutions = [layer for layer in resnet.layers if isinstance(layer, layers.Conv2D)]
    assert not any(layer.use_bias for layer in convolutions)
    strided = {layer.name for layer in convolutions if layer.strides == (2, 2)}
    assert strided == {
        f'stage_{stage}_block_1_{part}' for stage in (2, 3) for part in ('conv_1', 'shortcut')
    }
    norms = [layer for layer in resnet.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == len(convolutions) == 21
    assert sum(isinstance(layer, layers.ReLU) for layer in resnet.layers) == 19


def test_resnet_computes_its_formula():
    """The stages one after the other, in float64 from the model's own weights."""
    model = models.builder('resnet_20', (12, 10, 3), 7)()
    random = np.random.default_rng(0)
    for weight in model.weights:
        if '_norm/' in weight.name:  # away from ones and zeros, and positive as variances are
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    x = random.standard_normal((2, 12, 10, 3))
    found = model(x.astype(np.float32), training=False).numpy()

    def convolved(x, name):
        layer, norm = model.get_layer(name), model.get_layer(f'{name}_norm')
        kernel = layer.kernel.numpy().astype(np.float64)
        x = tf.nn.conv2d(x, kernel, layer.strides, 'SAME')
        scale, shift, mean, variance = (w.numpy().astype(np.float64) for w in norm.weights)
        return (x - mean) / np.sqrt(variance + 1.001e-5) * scale + shift

    x = tf.nn.relu(convolved(x, 'stem'))
    for stage in (1, 2, 3):
        for block in (1, 2, 3):
            name = f'stage_{stage}_block_{block}'
            y = tf.nn.relu(convolved(x, f'{name}_conv_1'))
            around = convolved(x, f'{name}_shortcut') if block == 1 and stage > 1 else x
            x = tf.nn.relu(convolved(y, f'{name}_conv_2') + around)
    logits = model.get_layer('logits')
    expected = tf.reduce_mean(x, (1, 2)) @ logits.kernel.numpy().astype(np.float64)
    assert np.allclose(found, expected + logits.bias.numpy(), rtol=1e-4, atol=1e-4)


def test_resnet_starts_with_he_normal_and_neutral_normalisation(resnet):
    for kernel in kernels(resnet):
        value = kernel.numpy()
        std = np.sqrt(2 / np.prod(value.shape[:-1]))
        assert abs(value.std() / std - 1) < 4 / np.sqrt(2 * value.size)
        assert np.abs(value).max() <= 2 * std / 0.87962566 + 1e-5
    assert not resnet.get_layer('logits').bias.numpy().any()
    for layer in resnet.layers:
        if isinstance(layer, layers.BatchNormalization):
            scale, shift, mean, variance = (weight.numpy() for weight in layer.weights)
            assert (scale == 1).all() and (variance == 1).all()
            assert not shift.any() and not mean.any()


# -- models of the user's own


def tiny(classes):
    return tf_keras.Sequential([layers.Dense(classes, input_shape=(4,))])


def fixed():
    return tf_keras.Sequential([layers.Dense(2, input_shape=(4,))])


def test_a_builder_gets_what_it_asks_for():
    assert models.builder(tiny, (4,), 5)().output_shape == (None, 5)
    assert models.builder(fixed, (9,), 5)().output_shape == (None, 2)


def test_a_builder_by_name(tmp_path, monkeypatch):
    (tmp_path / 'my_nets_of_tests.py').write_text(
        'def build(input_shape, classes):\n    return input_shape, classes\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert models.builder('my_nets_of_tests:build', (4,), 5)() == ((4,), 5)


@pytest.mark.parametrize(
    ('name', 'match'),
    [
        ('lenet_300_10', "unknown model 'lenet_300_10': did you mean 'lenet_300_100'"),
        ('no_such_module:f', "model 'no_such_module:f': expected package.module:function"),
        ('math:no_such_function', "has no attribute 'no_such_function'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_built(name, match):
    with pytest.raises(ConfigError, match=match):
        models.builder(name, (4,), 5)


def test_a_thing_that_is_no_function_is_refused_by_name():
    with pytest.raises(ConfigError, match='math:pi'):
        models.builder('math:pi', (4,), 5)
