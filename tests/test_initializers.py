"""Initialisers by name: what Keras draws of them, as wide as they say."""

import json

import numpy as np
import pytest

from lth_keras import initializers
from lth_keras._compat import tf_keras
from lth_keras.errors import ConfigError
from lth_keras.initializers import INITIALIZERS, initializer

SHAPES = [(400, 60), (3, 3, 16, 32)]


def std(name, shape):
    """The standard deviation by the formula of the docstring."""
    fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
    return {
        'glorot': np.sqrt(2 / (fan_in + fan_out)),
        'he': np.sqrt(2 / fan_in),
        'lecun': np.sqrt(1 / fan_in),
    }[name.split('_')[0]]


def drawn(given, shape, seed=0):
    tf_keras.utils.set_random_seed(seed)
    return tf_keras.initializers.get(given)(shape).numpy()


@pytest.mark.parametrize('name', INITIALIZERS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_the_dictionary_draws_what_the_name_draws(name, shape):
    assert initializer(name) == initializer(name, 1.0) == initializer(name, 1) == name
    plain = drawn(name, shape)
    assert np.array_equal(drawn(INITIALIZERS[name](), shape), plain)
    assert not np.array_equal(drawn(INITIALIZERS[name](), shape, seed=1), plain)


@pytest.mark.parametrize('name', INITIALIZERS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('scale', [0.1, 0.5, 1.0, 3])
def test_the_standard_deviation_is_scale_times_the_formula(name, shape, scale):
    value = drawn(initializer(name, scale), shape)
    expected = scale * std(name, shape)
    assert abs(value.std() / expected - 1) < 4 / np.sqrt(2 * value.size)
    assert abs(value.mean()) < 4 * expected / np.sqrt(value.size)
    most = np.abs(value).max() / expected
    bound = np.sqrt(3) if name.endswith('uniform') else 2 / 0.87962566103423978
    assert bound * 0.99 < most <= bound * (1 + 1e-6)


@pytest.mark.parametrize('name', INITIALIZERS)
def test_a_scaled_one_is_the_same_draw_stretched(name):
    assert np.allclose(
        drawn(initializer(name, 0.25), (50, 20)), 0.25 * drawn(name, (50, 20)), rtol=1e-5
    )


@pytest.mark.parametrize('name', INITIALIZERS)
def test_what_is_given_to_keras_is_plain_data(name):
    found = initializer(name, 2)
    assert json.loads(json.dumps(found)) == found == INITIALIZERS[name](2)
    assert found['class_name'] == 'VarianceScaling'
    assert found is not initializer(name, 2)  # nobody changes another one's


@pytest.mark.parametrize('scale', [0, -1, float('nan'), float('inf'), 1e200, 1e-200, '1', True])
def test_scales_are_numbers_above_0(scale):
    for make in (lambda: initializer('he_normal', scale), lambda: INITIALIZERS['he_normal'](scale)):
        with pytest.raises(ConfigError, match="'he_normal': expected a scale above 0, received"):
            make()


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="unknown initializer 'he_norml': did you mean 'he_nor"):
        initializer('he_norml')
    with pytest.raises(ConfigError, match='unknown initializer'):
        initializer('zeros', 2)


def test_the_order_of_the_table():
    assert list(INITIALIZERS) == [
        *['glorot_normal', 'glorot_uniform', 'he_normal', 'he_uniform'],
        *['lecun_normal', 'lecun_uniform'],
    ]
    assert all(getattr(initializers, name) is INITIALIZERS[name] for name in INITIALIZERS)
