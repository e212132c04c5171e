"""Batches as a value: what it takes, what it makes of it, what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors
from lth_keras.batches import Batches
from lth_keras.data import augmentation
from tests import nets

X, Y = nets.examples(count=10)
STRATEGY = tf.distribute.get_strategy()


@pytest.mark.parametrize(
    ('options', 'length', 'text'),
    [
        ({}, 1, '<Batches: 10 examples in 1 batches of 10>'),
        ({'batch_size': 4}, 3, '<Batches: 10 examples in 3 batches of 4, the last of 2>'),
        ({'batch_size': 5}, 2, '<Batches: 10 examples in 2 batches of 5>'),
        (
            {'batch_size': 4, 'drop_remainder': True},
            2,
            '<Batches: 10 examples in 2 batches of 4>',
        ),
    ],
    ids=str,
)
def test_lengths_and_texts(options, length, text):
    batches = Batches(X, Y, **{'batch_size': 10} | options)
    assert len(batches) == length and repr(batches) == text


def test_thousands_are_told_apart():
    batches = Batches(np.zeros((55_000, 1)), batch_size=60)
    assert repr(batches) == '<Batches: 55,000 examples in 917 batches of 60, the last of 40>'


def indices(epochs):
    return [row.tolist() for block in epochs.blocks(0, len(X)) for row in block]


def test_the_order_follows_from_the_seed_and_evaluation_has_none():
    one, same, other = (Batches(X, Y, batch_size=4, seed=s) for s in (1, 1, 2))
    assert indices(one.epochs) == indices(same.epochs) != indices(other.epochs)
    in_order = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert indices(one.in_order)[:3] == in_order
    assert indices(Batches(X, Y, batch_size=4, shuffle=False).epochs)[:3] == in_order
    default = Batches(X, Y, batch_size=4)
    assert default.seed == 0 and indices(default.epochs)[:3] != in_order
    dropping = Batches(X, Y, batch_size=4, drop_remainder=True)
    assert {len(row) for row in indices(dropping.epochs) + indices(dropping.in_order)} == {4}


def test_examples_stay_on_the_device_in_the_types_of_keras():
    inputs = {'a': X.astype(np.float64), 'b': X > 0}
    batches = Batches(inputs, (Y, Y.astype(np.int64)), np.ones(10), batch_size=2)
    inputs, targets, weights = batches.resident(STRATEGY)
    assert (inputs['a'].dtype, inputs['b'].dtype) == (tf.float32, tf.bool)
    assert [t.dtype for t in (*targets, weights)] == [tf.int32, tf.int64, tf.float32]
    np.testing.assert_array_equal(inputs['a'], X)
    assert batches.resident(STRATEGY)[0]['a'] is inputs['a']  # put there once


def test_what_is_given_is_left_alone():
    x, y = X.copy(), Y.copy()
    (kept, _) = Batches(x, y, batch_size=2).resident(STRATEGY)
    x[:] = 7
    np.testing.assert_array_equal(kept, X)
    assert x.flags.writeable


def test_inputs_alone_and_tensors():
    (x,) = Batches(tf.constant(X), batch_size=3).resident(STRATEGY)
    np.testing.assert_array_equal(x, X)
    assert len(Batches((X, Y), batch_size=3).resident(STRATEGY)[0]) == 2


def test_augmentation_by_name_or_function():
    assert Batches(X, Y, batch_size=2).augment is None
    assert Batches(X, Y, batch_size=2, augmentation='none').augment is None
    flipped = Batches(X, Y, batch_size=2, augmentation='flip_crop')
    assert flipped.augment is augmentation.flip_crop

    def own(inputs, key, step, positions):
        return inputs

    assert Batches(X, Y, batch_size=2, augmentation=own).augment is own
    with pytest.raises(errors.ConfigError, match="augmentation 'flip_corp': did you mean 'flip_c"):
        Batches(X, Y, batch_size=2, augmentation='flip_corp')


@pytest.mark.parametrize(
    ('parts', 'text'),
    [
        ((X, Y[:9]), r'parts of \[10, 9\] examples'),
        ((X, Y, Y[:3]), r'parts of \[10, 10, 3\]'),
        (({'a': X, 'b': X[:4]}, Y), r'parts of \[10, 4, 10\]'),
        ((X[:0], Y[:0]), r'and some, received parts of \[0, 0\]'),
        ((X, None, Y), 'sample_weight: expected together with targets y'),
        ((np.float32(3),), r'received float32 of shape \(\)'),
        ((X, Y.tolist()), r'arrays of numbers .*, received int64 of shape \(\)'),
        ((np.array([None, 'a']), [1, 2]), r'received object of shape \(2,\)'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_parts_that_do_not_fit(parts, text):
    with pytest.raises(errors.DataError, match=text):
        Batches(*parts, batch_size=2)


@pytest.mark.parametrize('size', [0, -1, 11])
def test_batch_sizes_that_do_not_fit(size):
    with pytest.raises(errors.ConfigError, match=f'the 10 training examples, received {size}'):
        Batches(X, Y, batch_size=size)


def test_the_default_size_is_that_of_keras():
    x, y = nets.examples(count=33)
    assert len(Batches(x, y)) == 2
