"""Residual networks: counts, kinds of kernels, the formula, initial weights."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import architecture, models
from lth_keras._compat import layers, tf_keras
from lth_keras.errors import ConfigError
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.kernels import kernels as kernels_of
from tests.models.measured import check_std, kernels, sizes

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
        std = np.sqrt(2 / np.prod(kernel.shape[:-1]))
        check_std(kernel, std)
        assert np.abs(kernel.numpy()).max() <= 2 * std / 0.87962566 + 1e-5
    assert not resnet.get_layer('logits').bias.numpy().any()
    for layer in resnet.layers:
        if isinstance(layer, layers.BatchNormalization):
            scale, shift, mean, variance = (weight.numpy() for weight in layer.weights)
            assert (scale == 1).all() and (variance == 1).all()
            assert not shift.any() and not mean.any()


# -- of other depths


@pytest.mark.parametrize(
    ('depth', 'whole', 'trainable'),
    [(8, 77_360, 78_042), (56, 851_504, 855_770)],
)
def test_a_resnet_of_any_depth_has_its_counts(depth, whole, trainable):
    model = models.builder('resnet', (32, 32, 3), 10, depth=depth, initializer='zeros')()
    assert sizes(kernels(model)) == whole == 96_768 * (depth // 6) - 19_408
    assert sizes(model.trainable_variables) == trainable
    assert model.name == f'resnet_{depth}'
    kinds = [kernel.kind for kernel in kernels_of(model)[0]]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        'conv': depth - 1,
        'shortcut': 2,
        'output': 1,
    }


def test_the_default_resnet_is_resnet_20(resnet):
    other = models.builder('resnet', (32, 32, 3), 10)()
    assert architecture.to_json(other) == architecture.to_json(resnet)


@pytest.mark.parametrize('depth', [0, 2, 18, 21, -4, 20.0, '20', True, None])
def test_other_depths_are_refused(depth):
    with pytest.raises(ConfigError, match='^depth: expected 6n . 2 .*received .*use one of 8, 14'):
        models.builder('resnet', (32, 32, 3), 10, depth=depth)()


@pytest.mark.parametrize('width', [0.01, 0.25])
def test_a_narrow_resnet_keeps_its_shortcuts(width):
    model = models.builder('resnet', (8, 8, 3), 10, depth=8, width=width)()
    kinds = {kernel.path: kernel.kind for kernel in kernels_of(model)[0]}
    assert [path for path, kind in kinds.items() if kind == 'shortcut'] == [
        'stage_2_block_1_shortcut/kernel',
        'stage_3_block_1_shortcut/kernel',
    ]
    assert kinds['logits/kernel'] == 'output'
