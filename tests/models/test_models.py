"""The networks: each builder gives a new uncompiled model for the data at hand; exact counts."""

import numpy as np
import pytest

from lth_keras import models
from lth_keras._compat import layers, tf_keras
from lth_keras.errors import ConfigError
from lth_keras.models import MODELS


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
