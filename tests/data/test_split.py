"""Sources and splits: what is held out, by which seed, and what is refused."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras.data import Source, from_arrays, split
from lth_keras.errors import DataError

examples = settings(database=None, deadline=None, derandomize=True, max_examples=50)


def source(count=20, validation=4, **changes):
    """Every input says which example it is."""
    x = np.arange(count, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    y = (np.arange(count) % 3).astype(np.int32)
    parts = {'train': (x, y), 'test': (x[:5] + 100, y[:5]), **changes}
    return Source('numbers', parts['train'], parts['test'], 3, validation)


@examples
@given(st.integers(2, 80), st.data(), st.integers(0, 1000))
def test_a_split_loses_nothing_and_repeats_nothing(count, data, seed):
    held = data.draw(st.integers(1, count - 1))
    found = split(source(count), seed, held)
    assert len(found.validation[1]) == held
    numbers = np.concatenate([found.train[0][:, 0], found.validation[0][:, 0]])
    assert sorted(numbers.tolist()) == list(range(count))
    for x, y in (found.train, found.validation):
        assert np.array_equal(x[:, 0].astype(int) % 3, y), 'labels left their inputs'
        assert np.all(np.diff(x[:, 0]) > 0), 'the order of the set is kept'
    assert found.test[0][:, 0].tolist() == [100, 101, 102, 103, 104][: len(found.test[1])]


def test_types_and_shape():
    found = split(source(), 0)
    for x, y in (found.train, found.validation, found.test):
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert found.input_shape == (3,)
    assert found.classes == 3
    assert found.summary() == (
        'numbers: 16 / 4 / 5 train / validation / test examples of shape 3, 3 classes'
    )


def test_the_split_is_frozen():
    assert split(source(), 0).validation[0][:, 0].tolist() == [2, 3, 7, 9]
    assert split(source(), 1).validation[0][:, 0].tolist() == [3, 11, 13, 19]


def test_the_split_depends_on_its_seed_alone():
    first = split(source(), 0)
    np.random.seed(3)
    random.seed(3)
    assert split(source(), 0).digest == first.digest
    assert split(source(), 1).digest != first.digest
    # The split of a larger validation part contains that of a smaller one.
    larger = split(source(), 0, 8).validation[0][:, 0].tolist()
    assert set(first.validation[0][:, 0].tolist()) < set(larger)


def test_the_digest_covers_every_part():
    base = split(source(), 0)
    x, y = source().train
    tx, ty = source().test
    others = [
        source(train=(x + 1, y)),
        source(train=(x, (y + 1) % 3)),
        source(test=(tx + 1, ty)),
        source(test=(tx, (ty + 1) % 3)),
        source(validation=5),
    ]
    digests = {base.digest, *(split(other, 0).digest for other in others)}
    assert len(digests) == 6


def test_what_was_given_is_neither_changed_nor_handed_on():
    given = source()
    before = given.train[0].copy()
    found = split(given, 0)
    found.train[0][:] = -1
    found.validation[0][:] = -1
    assert np.array_equal(given.train[0], before)


@pytest.mark.parametrize('count', [0, -1, 20, 21])
def test_a_validation_part_that_leaves_nothing_is_refused(count):
    with pytest.raises(
        DataError, match=f'numbers: expected between 1 and 19 of 20 .* received {count}'
    ):
        split(source(), 0, count)


X, Y = source().train

BAD = [
    ((np.where(X == 6, np.nan, X), Y), 'received 3 NaN or infinite values in 20 examples'),
    ((np.where(X == 6, np.inf, X), Y), 'received 3 NaN or infinite values in 20 examples'),
    ((X, Y.astype(float)), r'shape \(20,\) of float64; pass class indices'),
    ((X, Y.astype(str)), 'expected one whole number per example'),
    ((X, np.eye(3, dtype=int)[Y]), r'shape \(20, 3\) of int64; pass class indices, not one-hot'),
    ((X, Y > 0), 'of bool'),
    ((X, Y + 1), r'expected labels in \[0, 2\], received 1 to 3'),
    ((X, Y - 1), r'expected labels in \[0, 2\], received -1 to 1'),
    ((X, Y[:-1]), 'received 20 inputs and 19 labels'),
    ((X[:0], Y[:0]), 'received 0 inputs and 0 labels'),
]


@pytest.mark.parametrize(('part', 'text'), BAD)
@pytest.mark.parametrize('name', ['train', 'test'])
def test_malformed_parts_are_refused_by_name(name, part, text):
    with pytest.raises(DataError, match=rf'^numbers \({name}\): .*{text}'):
        split(source(**{name: part}), 0)


@pytest.mark.parametrize('name', ['train', 'test'])
def test_inputs_that_are_no_numbers_are_refused_by_name(name):
    with pytest.raises(DataError, match=rf'numbers \({name}\)'):
        split(source(**{name: (np.full((5, 3), 'cat'), Y[:5])}), 0)


def test_inputs_of_unlike_shapes_are_refused_with_both():
    with pytest.raises(DataError, match=r'(?s)\(3,\).*\(2,\)|\(2,\).*\(3,\)'):
        split(source(test=(X[:5, :2], Y[:5])), 0)


@pytest.mark.parametrize('kind', [np.uint8, np.int8, np.int64, np.uint32])
def test_labels_of_any_integer_type_become_int32(kind):
    found = split(source(train=(X, Y.astype(kind))), 0)
    assert found.train[1].dtype == np.int32
    assert found.digest == split(source(), 0).digest


def test_classes_are_read_off_the_labels_of_the_users_arrays():
    given = from_arrays((X, Y), (X, Y + 2))
    assert (given.classes, given.validation, given.name) == (5, 2, 'arrays')
    assert from_arrays((X[:3], Y[:3]), (X, Y)).validation == 1
