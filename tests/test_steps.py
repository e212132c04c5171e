"""Epochs and blocks: every example once per epoch, and the same batches however they are cut."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras.errors import ConfigError
from lth_keras.steps import Epochs, marks

examples = settings(database=None, deadline=None, derandomize=True)


@st.composite
def epochs(draw):
    count = draw(st.integers(1, 40))
    return Epochs(count, draw(st.integers(1, count)), draw(st.integers(0, 2**31 - 1)))


def rows(blocks):
    """The batches of some blocks, one list of indices each."""
    return [batch.tolist() for block in blocks for batch in block]


def reference(given, start, stop):
    """The definition: step s uses batch s mod per_epoch of epoch s div per_epoch."""
    found = []
    for step in range(start, stop):
        epoch, batch = divmod(step, given.per_epoch)
        order = given.order(epoch).tolist()
        found.append(order[batch * given.batch_size : (batch + 1) * given.batch_size])
    return found


@examples
@given(epochs(), st.integers(0, 5))
def test_every_epoch_is_a_permutation_in_an_order_of_its_own(given, epoch):
    first = epoch * given.per_epoch
    batches = rows(given.blocks(first, first + given.per_epoch))
    assert len(batches) == given.per_epoch
    assert sorted(sum(batches, [])) == list(range(given.examples))
    if given.examples > 20:
        assert given.order(epoch).tolist() != given.order(epoch + 1).tolist()
        other = Epochs(given.examples, given.batch_size, given.seed + 1)
        assert given.order(epoch).tolist() != other.order(epoch).tolist()


@examples
@given(epochs())
def test_only_the_last_batch_is_smaller(given):
    sizes = [len(batch) for batch in rows(given.blocks(0, given.per_epoch))]
    assert set(sizes[:-1]) <= {given.batch_size}
    assert sizes[-1] == given.examples - (given.per_epoch - 1) * given.batch_size
    assert 0 < sizes[-1] <= given.batch_size


@examples
@given(epochs(), st.integers(0, 60), st.integers(0, 60), st.integers(1, 20))
def test_batches_depend_neither_on_start_nor_on_block_length(given, start, length, most):
    blocks = list(given.blocks(start, start + length, most))
    assert rows(blocks) == reference(given, start, start + length)
    for block in blocks:
        assert block.dtype == np.int32
        assert 0 < len(block) <= most


@examples
@given(epochs(), st.lists(st.integers(0, 60), min_size=2, max_size=6))
def test_blocks_join_at_any_marks(given, places):
    places = sorted(places)
    pieces = [
        batch
        for a, b in zip(places[:-1], places[1:], strict=True)
        for batch in rows(given.blocks(a, b, 7))
    ]
    assert pieces == reference(given, places[0], places[-1])


def test_a_block_holds_neither_two_epochs_nor_two_sizes():
    shapes = [block.shape for block in Epochs(10, 3, 0).blocks(0, 8)]
    assert shapes == [(3, 3), (1, 1), (3, 3), (1, 1)]


def test_batch_size_that_divides_leaves_no_rest():
    given = Epochs(10, 5, 0)
    assert given.per_epoch == 2
    assert [block.shape for block in given.blocks(0, 4)] == [(2, 5), (2, 5)]


def test_mnist_of_the_paper():
    given = Epochs(55_000, 60, 0)
    assert given.per_epoch == 917
    assert len(rows(given.blocks(916, 917))[0]) == 55_000 - 916 * 60


def test_the_first_batches_are_frozen():
    assert rows(Epochs(5, 2, 0).blocks(0, 4)) == [[1, 3], [2, 0], [4], [3, 0]]


def test_the_caller_cannot_change_a_later_batch():
    """Blocks are views of one order, which is kept for the next pause of training."""
    given = Epochs(7, 2, 0)
    for array in (given.order(0), *given.blocks(0, 5, 1), *Epochs(7, 2, None).blocks(0, 4)):
        with pytest.raises(ValueError, match='read-only'):
            array[:] = 99
    assert np.shares_memory(given.order(0), next(given.blocks(0, 3)))


@examples
@given(epochs(), st.integers(0, 60), st.integers(1, 20))
def test_the_smaller_last_batch_can_be_left_out(given, start, most):
    whole = dataclasses.replace(given, drop_remainder=True)
    assert whole.per_epoch == given.examples // given.batch_size
    assert whole.order(3).tolist() == given.order(3).tolist()
    found = rows(whole.blocks(start, start + 9, most))
    assert found == reference(whole, start, start + 9)
    assert {len(batch) for batch in found} == {given.batch_size}


def test_without_a_seed_the_order_is_that_of_the_examples():
    given = Epochs(5, 2, None)
    assert rows(given.blocks(0, 6)) == [[0, 1], [2, 3], [4]] * 2


@pytest.mark.parametrize('size', [0, -1, 6])
def test_batch_size_out_of_range_names_both_numbers(size):
    with pytest.raises(
        ConfigError, match=f'between 1 and the 5 training examples, received {size}'
    ):
        Epochs(5, size, 0)


@pytest.mark.parametrize(
    ('start', 'stop', 'every', 'extra', 'expected'),
    [
        (0, 250, 100, [30], [0, 30, 100, 200, 250]),
        (0, 200, 100, [], [0, 100, 200]),
        (30, 250, 100, [30, 20, 260], [30, 100, 200, 250]),
        (100, 300, 100, [100], [100, 200, 300]),
        (0, 50, 100, [], [0, 50]),
        (7, 7, 5, [], [7]),
    ],
)
def test_marks_by_hand(start, stop, every, extra, expected):
    assert marks(start, stop, every, extra) == expected


@examples
@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 50), st.lists(st.integers(0, 250)))
def test_marks(start, length, every, extra):
    stop = start + length
    found = marks(start, stop, every, extra)
    wanted = {s for s in range(start, stop + 1) if s % every == 0 or s in extra}
    assert found == sorted(wanted | {start, stop})
    # A training that starts later pauses at the same steps, and where it starts.
    for later in found:
        assert marks(later, stop, every, extra) == [s for s in found if s >= later]
