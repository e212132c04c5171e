"""Seeds: frozen values, no collisions in use, and nothing taken from the process."""

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras import seeds

examples = settings(database=None, deadline=None, derandomize=True)

# Frozen: a change of these changes every result that was ever computed.
GOLDEN = {
    (0, 'initialisation'): 1203502457,
    (0, 'order', 0): 199248932,
    (0, 'order', 1): 1359450091,
    (0, 'order', 2): 1282148628,
    (1, 'order', 1): 1712508736,
    (0, 'split'): 79423899,
    (3, 'reinit', 7, 0): 1046713500,
    (3, 'reinit', 'dense_1/kernel'): 1790613590,
}


@pytest.mark.parametrize('inputs', GOLDEN, ids=str)
def test_derived_seeds_are_frozen(inputs):
    assert seeds.derive(*inputs) == GOLDEN[inputs]


@pytest.mark.parametrize('inputs', GOLDEN, ids=str)
def test_the_formula_of_the_docstring(inputs):
    first = hashlib.sha256('|'.join(map(str, inputs)).encode()).hexdigest()[:8]
    assert seeds.derive(*inputs) == int(first, 16) % 2**31


def test_a_whole_study_has_no_two_draws_of_one_seed():
    uses = [(s, p) for s in range(50) for p in ('initialisation', 'split', 'dropout', 'order')]
    uses += [(s, 'order', e) for s in range(50) for e in range(60)]
    uses += [(s, 'reinit', r, d) for s in range(50) for r in range(1, 31) for d in range(3)]
    uses += [(s, 'reinit', f'dense_{i}/kernel') for s in range(50) for i in range(20)]
    assert len(uses) == len(set(uses))
    # 2 ** 31 seeds: by chance about 0.02 pairs of 9,700 would meet.
    assert len({seeds.derive(*use) for use in uses}) == len(uses)


@examples
@given(st.integers(), st.text(), st.lists(st.integers() | st.text(), max_size=3))
def test_any_integer_seed_gives_31_bits(seed, purpose, key):
    assert 0 <= seeds.derive(seed, purpose, *key) < 2**31


def test_bits_are_spread():
    bits = np.array([[seeds.derive(s, 'order') >> b & 1 for b in range(31)] for s in range(4000)])
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.04)  # five standard deviations


def test_permutations_are_frozen():
    assert seeds.permutation(5, 1).tolist() == [0, 3, 4, 1, 2]
    assert seeds.permutation(12, 0).tolist() == [3, 7, 0, 10, 6, 11, 8, 4, 1, 5, 2, 9]
    assert seeds.permutation(1, 9).tolist() == [0]
    assert seeds.permutation(0, 9).tolist() == []


@examples
@given(st.integers(0, 300), st.integers(0, 2**31 - 1))
def test_a_permutation_has_every_number_once(count, seed):
    order = seeds.permutation(count, seed)
    assert order.dtype == np.int32
    assert sorted(order.tolist()) == list(range(count))


def test_the_process_makes_no_difference_and_is_left_alone():
    first = seeds.permutation(100, 7)
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate()
    assert seeds.permutation(100, 7).tolist() == first.tolist()
    seeds.derive(0, 'order')
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before
