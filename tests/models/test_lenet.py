"""LeNet-300-100, MLPs of other sizes, and LeNet-5: counts, structure, initial weights."""

import numpy as np
import pytest

from lth_keras import models
from lth_keras._compat import tf_keras
from lth_keras.errors import ConfigError
from tests.models.measured import check_std, kernels, sizes

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
        check_std(kernel, std)
        assert np.abs(kernel.numpy()).max() <= bound + 1e-5
    for layer in lenet.layers[1:]:
        assert not layer.bias.numpy().any()


def test_lenet_gives_logits(lenet):
    assert [getattr(layer, 'activation', None) for layer in lenet.layers[1:]] == [
        tf_keras.activations.relu,
        tf_keras.activations.relu,
        tf_keras.activations.linear,
    ]


# -- MLPs of other sizes


def test_the_default_mlp_is_lenet():
    mlp, lenet = (models.builder(name, (28, 28, 1), 10)() for name in ('mlp', 'lenet_300_100'))
    ours, theirs = mlp.get_config(), lenet.get_config()
    assert (mlp.name, lenet.name) == ('mlp', 'lenet_300_100')
    assert [layer['class_name'] for layer in ours['layers']] == [
        layer['class_name'] for layer in theirs['layers']
    ]
    assert [k.shape for k in kernels(mlp)] == [k.shape for k in kernels(lenet)]


@pytest.mark.parametrize('hidden', [(), (5,), [30, 20, 10], (7, 7, 7, 7), (np.int64(4),)])
def test_an_mlp_has_the_layers_asked_for(hidden):
    model = models.builder('mlp', (4, 5), 3, hidden=hidden)()
    widths = [20, *hidden, 3]
    assert [tuple(k.shape) for k in kernels(model)] == list(
        zip(widths[:-1], widths[1:], strict=True)
    )
    activations = [layer.activation.__name__ for layer in model.layers[1:]]
    assert activations == ['relu'] * len(hidden) + ['linear']


def test_width_is_a_factor_on_hidden():
    model = models.builder('mlp', (9,), 3, hidden=(5, 7, 1), width=0.5)()
    assert [k.shape[-1] for k in kernels(model)] == [2, 4, 1, 3]


@pytest.mark.parametrize('hidden', [300, '300', (300, 0), (300, -1), (1.5,), (True,), None, ('3',)])
def test_hidden_layers_that_cannot_be_are_refused(hidden):
    with pytest.raises(ConfigError, match='^hidden: expected whole numbers of at least 1, receiv'):
        models.builder('mlp', (28, 28, 1), 10, hidden=hidden)()


# -- LeNet-5


def test_lenet_5_is_put_together_as_described():
    model = models.builder('lenet_5', (28, 28, 1), 10)()
    pair = ['Conv2D', 'MaxPooling2D']
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [*pair, *pair, 'Flatten', 'Dense', 'Dense', 'Dense']
    assert [layer.output_shape for layer in model.layers[:5]] == [
        *[(None, 24, 24, 6), (None, 12, 12, 6), (None, 8, 8, 16), (None, 4, 4, 16), (None, 256)]
    ]
    assert [sizes([k]) for k in kernels(model)] == [150, 2_400, 30_720, 10_080, 840]
    weighted = [layer for layer in model.layers if layer.weights]
    assert [layer.activation.__name__ for layer in weighted] == ['relu'] * 4 + ['linear']
    assert {layer.kernel_initializer.__class__.__name__ for layer in weighted} == {'GlorotNormal'}
    assert not any(layer.bias.numpy().any() for layer in weighted)
