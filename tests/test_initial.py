"""Initial weights of a replicate, builders that fix their seeds, and fresh draws."""

import random

import numpy as np
import pytest

from lth_keras import errors, initial
from lth_keras._compat import layers, tf_keras
from lth_keras.pruning import wrapping
from tests import nets

initializers = tf_keras.initializers


def fixed():
    return nets.dense(kernel_initializer=initializers.GlorotUniform(seed=3))


def fixed_by_the_builder():
    tf_keras.utils.set_random_seed(0)
    return nets.dense()


ONE = nets.dense()


def always_the_same():
    return ONE


def test_initial_weights_follow_from_the_seed():
    one = initial.initial_weights(nets.normalised, 1)
    assert list(one) == list(wrapping.read(nets.normalised()))
    nets.resnet(), np.random.normal(), random.random(), tf_keras.utils.set_random_seed(5)
    assert nets.unlike(one, initial.initial_weights(nets.normalised, 1)) == []
    other = initial.initial_weights(nets.normalised, 2)
    assert nets.unlike(one, other) == ['dense/kernel', 'dense_1/kernel']


def test_the_caller_s_generators_are_left_alone():
    random.seed(3), np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3), np.random.seed(3)
    with pytest.raises(RuntimeError), initial.seeded(9):
        inside = random.random(), np.random.random()
        raise RuntimeError
    assert (random.random(), np.random.random()) == expected != inside


def test_seeded_gives_what_follows_from_the_seed():
    drawn = []
    for seed in (1, 1, 2):
        with initial.seeded(seed):
            drawn.append(wrapping.read(nets.dense())['dense/kernel'])
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_replicates_that_differ_pass():
    for build in (nets.dense, nets.resnet, nets.nested):
        initial.check_replicates(build, 0, 1)


@pytest.mark.parametrize('build', [fixed, fixed_by_the_builder, always_the_same])
def test_builders_that_fix_their_seeds_are_detected(build):
    with pytest.raises(errors.ConfigError, match="alike: kernel 'dense/kernel'.*--replicates=1"):
        initial.check_replicates(build, 0, 1)


def test_one_fixed_kernel_is_enough():
    def build():
        rule = initializers.GlorotUniform(seed=3)
        return tf_keras.Sequential(
            [layers.Dense(4, input_shape=(6,)), layers.Dense(3, kernel_initializer=rule)]
        )

    with pytest.raises(errors.ConfigError, match="kernel 'dense_1/kernel'"):
        initial.check_replicates(build, 0, 1)


@pytest.mark.parametrize('build', [nets.normalised, nets.resnet, nets.nested, fixed])
def test_redrawn_gives_every_variable_anew(build):
    model = build()
    old = wrapping.read(model)
    drawn = initial.redrawn(model, 1, 'test')
    assert sorted(drawn) == sorted(old)
    assert nets.unlike(old, wrapping.read(model)) == []
    for path, value in drawn.items():
        assert (value.shape, value.dtype) == (old[path].shape, old[path].dtype)
        assert np.array_equal(value, old[path]) == (not path.endswith('kernel'))
    again = initial.redrawn(build(), 1, 'test')
    assert nets.unlike(drawn, again) == []
    for other in (initial.redrawn(model, 2, 'test'), initial.redrawn(model, 1, 'other')):
        assert nets.unlike(drawn, other) == [path for path in drawn if path.endswith('kernel')]


def test_redrawn_comes_from_the_layer_s_own_distribution():
    rule = initializers.RandomUniform(3.0, 4.0)
    model = tf_keras.Sequential(
        [layers.Dense(50, input_shape=(6,), kernel_initializer=rule, bias_initializer='ones')]
    )
    drawn = initial.redrawn(model, 0, 'test')
    assert 3.0 <= drawn['dense/kernel'].min() < 3.2 < 3.8 < drawn['dense/kernel'].max() <= 4.0
    np.testing.assert_array_equal(drawn['dense/bias'], np.ones(50))


def test_redrawn_kernels_of_one_shared_initialiser_differ():
    rule = initializers.GlorotUniform()
    model = tf_keras.Sequential(
        [layers.Input((4,)), *(layers.Dense(4, kernel_initializer=rule) for _ in range(3))]
    )
    given = [layer.kernel.numpy() for layer in model.layers]
    assert np.array_equal(given[0], given[1])  # the trap
    drawn = initial.redrawn(model, 0, 'test')
    kernels = [value for path, value in drawn.items() if 'kernel' in path]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])


def test_a_kernel_without_an_initialiser_is_named():
    class Own(layers.Dense):
        def build(self, shape):
            super().build(shape)
            del self.kernel_initializer

    model = tf_keras.Sequential([layers.Input((6,)), Own(3, name='own')])
    with pytest.raises(errors.ModelError, match="'own/kernel' cannot be drawn again.*Own"):
        initial.redrawn(model, 0, 'test')


def test_check_differs_names_the_kernel():
    start = {'a/kernel': np.ones(3), 'b/kernel': np.zeros(3)}
    initial.check_differs(start, {'a/kernel': np.zeros(3), 'b/kernel': np.ones(3)}, list(start))
    with pytest.raises(errors.ModelError, match="kernel 'b/kernel'.*constant"):
        other = {'a/kernel': np.zeros(3), 'b/kernel': np.zeros(3)}
        initial.check_differs(start, other, list(start))
