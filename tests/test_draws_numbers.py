"""How what random layers draw is distributed, its types and its ends."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from lth_keras import draws
from lth_keras._compat import backend, layers, tf_keras
from tests.drawing import drawn, outputs, sequential, uniform

Policy = tf_keras.mixed_precision.Policy
LAST = 2**32 - 1
N = 100_000


def looks_uniform(cells, count):
    """Chi-square of counts in equally likely cells; a wrong generator fails, 1 in 10,000 seeds."""
    counts = np.bincount(cells, minlength=count)
    assert len(counts) == count
    assert stats.chisquare(counts).pvalue > 1e-4


def test_uniform_numbers_are_uniform():
    found = drawn(uniform(N))
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() < 1
    looks_uniform((found * 64).astype(int), 64)
    looks_uniform((found * 2**24).astype(int) % 64, 64)  # the last bits
    pairs = (found[::2] * 8).astype(int) * 8 + (found[1::2] * 8).astype(int)
    looks_uniform(pairs, 64)
    with pytest.raises(AssertionError):
        looks_uniform((np.sqrt(found) * 64).astype(int), 64)


def test_uniform_numbers_have_their_range():
    found = drawn(uniform(N, minval=-2.0, maxval=6.0))
    assert found.min() >= -2 and found.max() < 6
    looks_uniform(((found + 2) * 8).astype(int), 64)


@pytest.mark.parametrize('dtype', ['int32', 'int64'])
def test_whole_numbers_have_their_range(dtype):
    found = drawn(uniform(N, minval=-3, maxval=7, dtype=dtype))
    assert found.dtype == dtype and set(found) == set(range(-3, 7))
    looks_uniform(found + 3, 10)


def test_normal_numbers_are_normal():
    found = drawn(lambda generator: generator.random_normal((N,), 2.0, 3.0))
    looks_uniform((stats.norm.cdf(found, 2, 3) * 64).astype(int), 64)
    assert abs(found.mean() - 2) < 4 * 3 / np.sqrt(N)
    assert abs(found.std() / 3 - 1) < 4 / np.sqrt(2 * N)


def test_truncated_normal_numbers_end_at_two_deviations():
    found = drawn(lambda generator: generator.truncated_normal((N,), -1.0, 0.5))
    assert np.abs(found + 1).max() <= 1
    within = stats.truncnorm.cdf(found, -2, 2, -1.0, 0.5)
    looks_uniform((within * 64).astype(int).clip(0, 63), 64)
    assert abs(found.std() / (0.5 * 0.87962566) - 1) < 4 / np.sqrt(2 * N)


@pytest.mark.parametrize('rate', [0.1, 0.5, 0.8])
@pytest.mark.parametrize('dtype', ['float32', 'mixed_float16', 'mixed_bfloat16'])
def test_dropout_keeps_its_share(rate, dtype):
    model = sequential((N,), layers.Dropout(rate, dtype=Policy(dtype)))
    found = outputs(model, np.ones((1, N), np.float32))
    kept = found[found != 0]
    assert set(kept.astype(np.float32)) == {np.float32(found.dtype.type(1 / (1 - rate)))}
    # The rate itself is rounded to the type, to 2 or 3 digits.
    slack = {'float32': 0, 'mixed_float16': 2**-11, 'mixed_bfloat16': 2**-8}[dtype]
    deviation = np.sqrt(rate * (1 - rate) / N)
    assert abs(kept.size / N - (1 - rate)) < 4 * deviation + slack
    mean = found.astype(np.float64).mean()
    assert abs(mean - 1) < (4 * deviation + 2 * slack) / (1 - rate)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float64'])
def test_other_types(dtype):
    for method in ('random_uniform', 'random_normal', 'truncated_normal'):
        draw = functools.partial(getattr(backend.RandomGenerator, method), shape=(99,), dtype=dtype)
        one, other = (drawn(draw, way) for way in ('plain', 'compiled'))
        assert one.dtype == tf.as_dtype(dtype).as_numpy_dtype
        assert np.all(np.isfinite(one.astype(np.float32)))
        np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=1e-2, atol=1e-5)


# -- the first and the last of the numbers, which come once in 2**24 draws


@pytest.fixture(params=[0, LAST])
def extreme(request, monkeypatch):
    def bits(self, shape):
        return tf.fill(tf.cast(shape, tf.int32), tf.constant(request.param, tf.uint32))

    monkeypatch.setattr(draws._Philox, '_bits', bits)
    return request.param


@pytest.mark.parametrize('way', ['plain', 'compiled'])
@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16', 'float64'])
def test_the_ends_of_the_uniform_range(extreme, dtype, way):
    found = drawn(uniform(1, dtype=dtype), way).astype(np.float64)
    assert 0 <= found[0] < 1
    assert (found[0] == 0) == (extreme == 0)


@pytest.mark.parametrize('way', ['plain', 'compiled'])
def test_the_ends_of_the_normal_range(extreme, way):
    found = drawn(lambda generator: generator.random_normal((1,)), way)
    assert np.isfinite(found).all() and 5 < abs(found[0]) < 6
    assert (found[0] > 0) == (extreme > 0)
    found = drawn(lambda generator: generator.truncated_normal((1,)), way)
    assert 1.99 < abs(found[0]) <= 2
