"""VGG networks: counts, paths, structure, the formula, initial weights."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import models
from lth_keras._compat import layers
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.kernels import kernels as kernels_of
from tests.models.measured import check_std, kernels, sizes

VGGS = {
    # name: convolutions of the stages, kernels, trainable, normalised channels
    'vgg_11': ((1, 1, 2, 2, 2), 9_222_848, 9_228_362, 2_752),
    'vgg_13': ((2, 2, 2, 2, 2), 9_407_168, 9_413_066, 2_944),
    'vgg_16': ((2, 2, 3, 3, 3), 14_715_584, 14_724_042, 4_224),
    'vgg_19': ((2, 2, 4, 4, 4), 20_024_000, 20_035_018, 5_504),
}


@pytest.fixture(scope='module', params=VGGS)
def vgg(request):
    """A network on CIFAR-10, and what is known of it."""
    build = models.builder(request.param, (32, 32, 3), 10, initializer='zeros')
    return build(), *VGGS[request.param]


def test_vgg_has_the_counts_of_the_paper(vgg):
    model, stages, whole, trainable, channels = vgg
    assert sizes(kernels(model)) == whole
    assert sizes(model.trainable_variables) == trainable == whole + 2 * channels + 10
    assert model.count_params() == trainable + 2 * channels
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert sum(layer.gamma.shape[0] for layer in norms) == channels
    filters = np.repeat((64, 128, 256, 512, 512), stages).tolist()
    assert [tuple(kernel.shape) for kernel in kernels(model)] == [
        *((3, 3, *pair) for pair in zip([3, *filters], filters, strict=False)),
        (512, 10),
    ]


def test_vgg_kernels_have_paths_and_kinds(vgg):
    model, stages, *_ = vgg
    paths = [f'stage_{s}_conv_{i + 1}' for s, n in enumerate(stages, 1) for i in range(n)]
    found = kernels_of(model)[0]
    assert [k.path for k in found] == [f'{path}/kernel' for path in [*paths, 'logits']]
    assert [k.kind for k in found] == ['conv'] * sum(stages) + ['output']


def test_vgg_is_put_together_as_described(vgg):
    model, stages, *_ = vgg
    expected = ['InputLayer']
    for count in stages:
        expected += [*['Conv2D', 'BatchNormalization', 'ReLU'] * count, 'MaxPooling2D']
    expected = [*expected[:-1], 'GlobalAveragePooling2D', 'Dense']
    assert [type(layer).__name__ for layer in model.layers] == expected
    pools = [layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]
    assert [layer.output_shape for layer in pools] == [
        *[(None, 16, 16, 64), (None, 8, 8, 128), (None, 4, 4, 256), (None, 2, 2, 512)]
    ]
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            assert (layer.padding, layer.strides, layer.use_bias) == ('same', (1, 1), False)
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.momentum, layer.epsilon) == (0.9, 1.001e-5)


def test_the_papers_policy_leaves_the_output_alone(vgg):
    model, _, whole, *_ = vgg
    policy = PruningPolicy(rate=0.2, output_rate=0, scope='global')
    assert sum(policy.counting(model).sizes.values()) == whole - 5_120


def test_vgg_computes_its_formula():
    """The stages one after the other, in float64 from the model's own weights."""
    model = models.builder('vgg_13', (20, 17, 3), 7, width=0.1)()
    random = np.random.default_rng(0)
    for weight in model.weights:
        if '_norm/' in weight.name:  # away from ones and zeros, and positive as variances are
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    x = random.standard_normal((2, 20, 17, 3))
    found = model(x.astype(np.float32), training=False).numpy()
    for stage in (1, 2, 3, 4, 5):
        for number in (1, 2):
            layer = model.get_layer(f'stage_{stage}_conv_{number}')
            norm = model.get_layer(f'stage_{stage}_conv_{number}_norm')
            scale, shift, mean, variance = (w.numpy().astype(np.float64) for w in norm.weights)
            x = tf.nn.conv2d(x, layer.kernel.numpy().astype(np.float64), 1, 'SAME')
            x = tf.nn.relu((x - mean) / np.sqrt(variance + 1.001e-5) * scale + shift)
        if stage < 5:
            x = tf.nn.max_pool2d(x, 2, 2, 'VALID')
    logits = model.get_layer('logits')
    expected = tf.reduce_mean(x, (1, 2)) @ logits.kernel.numpy().astype(np.float64)
    assert np.allclose(found, expected + logits.bias.numpy(), rtol=1e-4, atol=1e-4)


def test_vgg_starts_with_he_normal_and_neutral_normalisation():
    model = models.builder('vgg_16', (32, 32, 3), 10, width=0.25)()
    for kernel in kernels(model):
        std = np.sqrt(2 / np.prod(kernel.shape[:-1]))
        check_std(kernel, std)
        assert np.abs(kernel.numpy()).max() <= 2 * std / 0.87962566 + 1e-5
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            scale, shift, mean, variance = (weight.numpy() for weight in layer.weights)
            assert (scale == 1).all() and (variance == 1).all()
            assert not shift.any() and not mean.any()
