"""What random layers draw: the same bits everywhere, others for each seed, layer, step, replica."""

import hashlib
import itertools

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import draws, seeds
from lth_keras._compat import backend, layers, tf_keras
from lth_keras.draws import Draws
from lth_keras.pruning import PruningPolicy
from tests import nets
from tests.drawing import WAYS, drawn, outputs, sequential, uniform

# -- the same everywhere


def attention():
    x = inputs = layers.Input((4, 6))
    x = layers.MultiHeadAttention(2, 3, dropout=0.5, kernel_initializer='ones')(x, x)
    return tf_keras.Model(inputs, x)


def recurrent(kind):
    def build():
        options = {'kernel_initializer': 'ones', 'recurrent_initializer': 'ones'}
        return sequential((4, 6), kind(3, dropout=0.4, recurrent_dropout=0.3, **options))

    return build


# Name -> (builder, what plain and compiled may differ by).
RANDOM = {
    'Dropout': (lambda: sequential((4, 6), layers.Dropout(0.4)), 0),
    'noise shape': (lambda: sequential((4, 6), layers.Dropout(0.4, noise_shape=(None, 1, 6))), 0),
    'SpatialDropout1D': (lambda: sequential((4, 6), layers.SpatialDropout1D(0.4)), 0),
    'AlphaDropout': (lambda: sequential((4, 6), layers.AlphaDropout(0.4)), 1e-6),
    'GaussianDropout': (lambda: sequential((4, 6), layers.GaussianDropout(0.4)), 1e-4),
    'GaussianNoise': (lambda: sequential((4, 6), layers.GaussianNoise(1.0)), 1e-4),
    'attention': (attention, 1e-3),
    'LSTM': (recurrent(layers.LSTM), 1e-6),
    'GRU': (recurrent(layers.GRU), 1e-6),
}
X = np.random.default_rng(0).uniform(0.5, 1.5, (5, 4, 6)).astype(np.float32)


RARE = ('noise shape', 'AlphaDropout', 'GaussianDropout', 'attention', 'GRU')


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=pytest.mark.slow) if n in RARE else n for n in RANDOM]
)
def test_layers_draw_the_same_compiled_and_in_a_second_build(name):
    build, gap = RANDOM[name]
    plain, compiled = (outputs(build(), X, way=way) for way in ('plain', 'compiled'))
    np.testing.assert_allclose(plain, compiled, rtol=0, atol=gap)
    assert np.array_equal(plain == 0, compiled == 0)
    model = build()
    assert not np.array_equal(plain, outputs(model, X, seed=1))
    assert not np.array_equal(plain, outputs(model, X, step=4))
    assert not np.array_equal(plain, model(X, training=False))
    if name not in ('LSTM', 'GRU'):  # outside of a graph Keras draws once less for these
        np.testing.assert_allclose(plain, outputs(model, X, way='eager'), rtol=0, atol=gap)


@pytest.mark.parametrize('count', [1, 3, 4, 17, 1000])
def test_numbers_are_the_same_bits_in_every_engine(count):
    def draw(generator):
        parts = [
            generator.random_uniform((count,), -5, 9, dtype='int32'),
            generator.random_uniform((count,), dtype='float32'),
            generator.make_seed_for_stateless_op(),
        ]
        return tf.concat([tf.cast(part, tf.float64) for part in parts], 0)  # which holds them all

    plain, compiled, eager = (drawn(draw, way) for way in ('plain', 'compiled', 'eager'))
    assert nets.bits(plain) == nets.bits(compiled) == nets.bits(eager)


def digest():
    """Of what some layers draw; for two processes."""
    build = RANDOM['Dropout'][0]
    text = hashlib.sha256()
    for way in ('plain', 'compiled'):
        text.update(outputs(build(), X, way=way).tobytes())
        text.update(drawn(uniform(50), way).tobytes())
    text.update(drawn(lambda generator: generator.random_normal((50,))).tobytes())
    return text.hexdigest()


def test_a_fresh_process_draws_the_same():
    code = 'from tests import test_draws; print(test_draws.digest())'
    assert nets.in_another_process(code).split()[-1] == digest()


def philox(key, low, high):
    """Philox 4x32 of 10 rounds, in Python's own whole numbers: four words."""
    word = 2**32 - 1
    a, b, c, d = low & word, low >> 32, high & word, high >> 32
    one, two = key & word, key >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ one, q & word, (p >> 32) ^ d ^ two, p & word
        one, two = (one + 0x9E3779B9) & word, (two + 0xBB67AE85) & word
    return [a, b, c, d]


def test_philox_gives_the_published_numbers():
    ones = 2**64 - 1
    assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox(ones, ones, ones) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@pytest.mark.parametrize(('step', 'replica'), [(0, 0), (11, 0), (2**40 + 3, 0), (11, 3)])
def test_numbers_are_those_of_the_formula(monkeypatch, step, replica):
    monkeypatch.setattr(draws, 'replica', lambda: replica)
    below = 1_000_003

    def draw(generator):
        given = {'minval': 0, 'maxval': below, 'dtype': 'int32'}
        return tf.stack([generator.random_uniform((6,), **given) for _ in range(3)])

    key = seeds.derive(7, 'layer', 'drawer')
    expected = [
        [
            number % below
            for block in range(2)
            for number in philox(key, (call << 40) + block, step + (replica << 48))
        ][:6]
        for call in range(3)
    ]
    for way in WAYS:
        assert drawn(draw, way, 7, step).tolist() == expected


# -- others for each seed, step, layer, call, replica


def test_all_that_numbers_depend_on_makes_others(monkeypatch):
    def words(replica, seed, step):
        monkeypatch.setattr(draws, 'replica', lambda: replica)
        whole = {'minval': 0, 'maxval': 2**31 - 1, 'dtype': 'int32'}

        def twice(generator):
            return tf.stack([generator.random_uniform((2000,), **whole) for _ in range(2)])

        return list(drawn(twice, 'eager', seed, step))

    found = []
    for given in itertools.product((0, 1), (0, 1), (0, 1, 2**40)):
        found += words(*given)
    for one, other in itertools.combinations(found, 2):
        assert not np.any(one == other)
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(len(one))
        assert len(np.intersect1d(one, other)) < 5  # not the same numbers, moved


def test_layers_draw_by_their_path_alone():
    def build(*rates):
        return sequential((400,), *(layers.Dropout(rate) for rate in rates))

    x = np.ones((1, 400), np.float32)
    one = outputs(build(0.5), x)
    both = outputs(build(0.5, 0.5), x)
    assert 0.1 < np.mean(both != 0) < 0.4  # two unrelated halves
    assert np.array_equal(one == 0, outputs(build(0.5, 0.0), x) == 0)
    found = Draws(build(0.5, 0.5)).keys(0)
    assert len(set(found)) == 2 and found.dtype == np.int64
    assert found.tolist() == Draws(build(0.1, 0.9)).keys(0).tolist()
    assert Draws(nets.dense()).keys(0).shape == (0,)


def test_a_wrapped_model_draws_what_the_bare_one_does():
    given = nets.noisy()
    x, _ = nets.examples()
    wrapped = PruningPolicy().wrap(given)
    np.testing.assert_array_equal(outputs(given, x), outputs(wrapped, x))


def test_a_layer_that_is_called_twice_draws_twice():
    inputs = layers.Input((100,))
    drop = layers.Dropout(0.5)
    model = tf_keras.Model(inputs, tf.stack([drop(inputs), drop(inputs)]))
    for way in ('plain', 'compiled'):
        first, second = outputs(model, np.ones((3, 100), np.float32), way=way)
        assert not np.array_equal(first, second)


# -- the model is left alone


@pytest.mark.parametrize('stateful', [False, True])
def test_generators_are_as_before(stateful):
    rng = backend.RandomGenerator(3, rng_type='stateful' if stateful else 'legacy_stateful')
    model = nets.noisy()
    model.layers[1]._random_generator = rng
    x, _ = nets.examples()
    if stateful:
        model(x, training=True)  # it makes its state when first used
    before = dict(vars(rng))
    outputs(model, x)
    assert dict(vars(rng)) == before

    found = Draws(model)
    with pytest.raises(ZeroDivisionError):
        with found.at(tf.constant(0, tf.int64), tf.constant(found.keys(0))):
            assert dict(vars(rng)) != before
            raise ZeroDivisionError
    assert dict(vars(rng)) == before
    assert model.layers[1]._random_generator is rng


def test_outside_of_a_step_layers_draw_as_keras_lets_them():
    def draw_alone(before=lambda model: None):
        tf_keras.utils.set_random_seed(5)
        model = nets.noisy()
        before(model)
        tf.random.set_seed(5)
        return model(nets.examples()[0], training=True).numpy()

    stock = draw_alone()
    np.testing.assert_array_equal(stock, draw_alone(lambda m: outputs(m, nets.examples()[0])))
