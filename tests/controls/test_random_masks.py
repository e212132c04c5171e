"""Random masks by numbers: exact counts, nested rounds, and every mask equally likely."""

import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lth_keras import errors
from lth_keras.controls import CONTROLS, Context
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket

LAYERWISE = ['random_mask', 'shuffled_mask']
MASKS = [*LAYERWISE, 'random_mask_global']
quick = hypothesis.settings(max_examples=60, deadline=None)


def ticket_of(mask):
    weights = {path: np.ones(shape, np.float32) for path, shape in mask.shapes.items()}
    return Ticket(mask, Snapshot(0, weights), {}, '')


def drawn(name, mask, seed=0, number=1, draw=0):
    """The control's mask; no control of masks looks at the model."""
    return CONTROLS.get(name)(ticket_of(mask), Context(None, seed, number, draw)).mask


@st.composite
def two_rounds(draw):
    """Masks of two rounds, the second a subset of the first, for kernels of any shape."""
    shapes = draw(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1))
    first, second = {}, {}
    for number, shape in enumerate(shapes):
        size = int(np.prod(shape))
        kept = draw(st.integers(1, size))
        left = draw(st.integers(1, kept))
        order = np.random.default_rng(draw(st.integers(0, 99))).permutation(size).reshape(shape)
        first[f'layer_{number}/kernel'] = order < kept
        second[f'layer_{number}/kernel'] = order < left
    hypothesis.assume(any(0 < kept.sum() < kept.size for kept in first.values()))
    return Mask(first), Mask(second)


@quick
@hypothesis.given(two_rounds(), st.integers(0, 2**40), st.integers(0, 3))
def test_counts_are_exact_and_random_pruning_is_nested(masks, seed, draw):
    first, second = masks
    for name in LAYERWISE:
        for number, mask in enumerate(masks, 1):
            assert drawn(name, mask, seed, number, draw).survivors == mask.survivors
    for number, mask in enumerate(masks, 1):
        made = drawn('random_mask_global', mask, seed, number, draw)
        assert made.kept == mask.kept
        assert min(made.survivors.values()) >= 1
    one, other = (drawn('random_mask', m, seed, n, draw) for n, m in enumerate(masks, 1))
    assert other <= one


def test_shuffled_masks_are_not_nested():
    """Each round alone is as random as random pruning; two rounds together are not."""
    first = Mask({'a': np.arange(60).reshape(6, 10) < 40})
    second = Mask({'a': np.arange(60).reshape(6, 10) < 20})
    for name in MASKS:
        nested = drawn(name, second, number=2) <= drawn(name, first, number=1)
        assert nested == (name == 'random_mask')


def test_kernels_of_one_shape_get_masks_of_their_own():
    half = np.arange(40).reshape(5, 8) % 2 == 0
    for name in MASKS:
        made = drawn(name, Mask({'a': half, 'b': half}))
        assert not np.array_equal(made['a'], made['b'])


def test_other_kernels_make_no_difference_to_a_layer():
    half = np.arange(40) < 20
    for name in LAYERWISE:
        alone, beside = drawn(name, Mask({'a': half})), drawn(name, Mask({'b': half, 'a': half}))
        np.testing.assert_array_equal(alone['a'], beside['a'])


def excess(makes, mask, draws=1500):
    """Chi-square of how often each mask of that many weights was drawn, over its degrees."""
    flat = [
        np.concatenate([kept.reshape(-1) for kept in makes(draw).values()]) for draw in range(draws)
    ]
    found = {tuple(np.flatnonzero(one)) for one in flat}
    possible = set(itertools.combinations(range(mask.size), mask.kept))
    assert found <= possible
    counts = dict.fromkeys(possible, 0)
    for one in flat:
        counts[tuple(np.flatnonzero(one))] += 1
    expected = draws / len(possible)
    return sum((n - expected) ** 2 / expected for n in counts.values()) / (len(possible) - 1)


@pytest.mark.parametrize('name', MASKS)
def test_every_mask_is_equally_likely(name):
    mask = Mask({'a': [[1, 1, 0], [0, 1, 0]]})
    assert excess(lambda draw: drawn(name, mask, draw=draw), mask) < 2


def test_every_mask_of_the_network_is_equally_likely_in_global_scope():
    mask = Mask({'a': [[1, 1], [0, 1]], 'b': [1, 1, 0]})  # too many for a kernel to get none
    assert excess(lambda draw: drawn('random_mask_global', mask, draw=draw), mask) < 2


def test_masks_that_only_look_random_fail():
    """Rotated by chance: every weight is kept equally often, and most masks are never drawn."""
    mask = Mask({'a': [1, 1, 1, 0, 0, 0]})
    rng = np.random.default_rng(0)
    assert excess(lambda draw: {'a': np.roll(mask['a'], rng.integers(6))}, mask) > 2


def test_in_global_scope_layers_get_the_density_of_the_whole():
    mask = Mask({'a': np.ones(900), 'b': np.arange(9000) < 90})  # 0.1 of all, unevenly
    made = drawn('random_mask_global', mask)
    assert made.kept == 990
    for path, kept in made.survivors.items():
        assert abs(kept / made.sizes[path] - 0.1) < 0.03


def test_in_global_scope_the_floor_wins_and_the_total_stays():
    """A kernel of one weight would nearly always get none."""
    mask = Mask({'a': np.arange(500) < 10, 'b': [1], 'c': [[1]]})
    for draw in range(20):
        assert drawn('random_mask_global', mask, draw=draw).survivors == {'a': 10, 'b': 1, 'c': 1}


def test_too_few_survivors_for_one_in_each_kernel():
    mask = Mask({'a': [1, 1, 0], 'b': [0, 0], 'c': [0]})
    with pytest.raises(errors.MaskError, match='one stays in each kernel'):
        drawn('random_mask_global', mask)


def test_a_dead_layer_stays_dead_layer_by_layer_and_lives_in_global_scope():
    mask = Mask({'a': [1, 1, 1, 0], 'b': [0, 0]})
    for name in LAYERWISE:
        assert drawn(name, mask).survivors == {'a': 3, 'b': 0}
    assert drawn('random_mask_global', mask).survivors['b'] >= 1


@pytest.mark.parametrize('name', MASKS)
@pytest.mark.parametrize(
    'mask', [{'a': [1, 1], 'b': [1]}, {'a': [1]}, {'a': [0, 0], 'b': [1]}], ids=str
)
def test_a_mask_without_a_choice_is_refused(name, mask):
    with pytest.raises(errors.MaskError, match=rf'{name}: expected a kernel .* rounds 1 and later'):
        drawn(name, Mask(mask))


@pytest.mark.parametrize('name', MASKS)
def test_whole_kernels_beside_a_pruned_one_are_fine(name):
    """Kernels of size 1 and those with a rate of 0 have one mask only."""
    mask = Mask({'a': np.arange(40) < 20, 'b': [1]})
    made = drawn(name, mask)
    assert made.survivors == mask.survivors
    assert not np.array_equal(made['a'], mask['a'])
