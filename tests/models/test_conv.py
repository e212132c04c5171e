"""Conv-2 to Conv-8: counts, structure, initial weights, and the densities of the paper."""

import numpy as np
import pytest

from lth_keras import models, schedules
from lth_keras._compat import layers, tf_keras
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.kernels import kernels as kernels_of
from tests.models.measured import check_std, kernels, sizes

CONVS = {
    # name: kernels, kernels of convolutions, with biases, filters
    'conv_2': (4_300_992, 38_592, 4_301_642, [64, 64]),
    'conv_4': (2_425_024, 259_776, 2_425_930, [64, 64, 128, 128]),
    'conv_6': (2_261_184, 1_144_512, 2_262_602, [64, 64, 128, 128, 256, 256]),
    'conv_8': (5_275_840, 4_683_456, 5_278_282, [64, 64, 128, 128, 256, 256, 512, 512]),
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
        area = int(np.prod(kernel.shape[:-2]))
        std = np.sqrt(2 / (area * (kernel.shape[-2] + kernel.shape[-1])))
        check_std(kernel, std)
        assert np.abs(kernel.numpy()).max() <= 2 * std / 0.87962566 + 1e-5
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
    model = models.builder(name, (32, 32, 3), 10, initializer='zeros')()
    plans = schedules.iterative(policy.counting(model), max(densities))
    found = {plan.round: round(plan.density, 4) for plan in plans if plan.round in densities}
    assert found == densities


@pytest.mark.parametrize('shape', [(28, 28, 1), (16, 16, 1), (17, 24, 3)])
def test_conv_takes_other_images(shape):
    for name, (*_, filters) in CONVS.items():
        model = models.builder(name, shape, 10, initializer='zeros')()
        pools = len(filters) // 2
        flat = filters[-1] * (shape[0] >> pools) * (shape[1] >> pools)
        assert next(k for k in kernels(model) if len(k.shape) == 2).shape[0] == flat
