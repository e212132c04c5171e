"""Survivors against pruned weights, on numbers worked by hand."""

import numpy as np
import pytest

from lth_keras import errors
from lth_keras.analysis import weights
from lth_keras.mask import Mask

MASK = Mask({'a/kernel': [[1, 0], [1, 1]], 'b/kernel': [[0], [1]]})
INITIAL = {'a/kernel': np.array([[1.0, -2.0], [0.5, 0.0]]), 'b/kernel': np.array([[4.0], [-1.0]])}
FINAL = {'a/kernel': np.array([[-3.0, -1.0], [1.0, 2.0]]), 'b/kernel': np.array([[-1.0], [-3.0]])}


def test_by_hand():
    found = weights.compare(MASK, INITIAL, FINAL)
    # Survivors of a: 1 -> -3, 0.5 -> 1, 0 -> 2: growth (2 + 0.5 + 2) / 3; one sign changed, and a
    # weight that begins at 0 has none to change.
    assert found['a/kernel']['survivors'] == {
        **{'count': 3, 'before': 0.5, 'after': 2.0, 'growth': 1.5, 'sign_changed': 1 / 3},
    }
    assert found['a/kernel']['pruned'] == {
        **{'count': 1, 'before': 2.0, 'after': 1.0, 'growth': -1.0, 'sign_changed': 0.0},
    }
    assert found['b/kernel']['survivors']['growth'] == 2.0
    assert found['b/kernel']['pruned'] == {
        **{'count': 1, 'before': 4.0, 'after': 1.0, 'growth': -3.0, 'sign_changed': 1.0},
    }
    assert found['all']['survivors'] == {
        **{'count': 4, 'before': 2.5 / 4, 'after': 9 / 4, 'growth': 6.5 / 4, 'sign_changed': 1 / 4},
    }
    assert found['all']['pruned']['growth'] == -2.0


def test_a_dense_mask_has_nothing_pruned():
    found = weights.compare(Mask.ones(MASK.shapes), INITIAL, FINAL)
    assert found['all']['pruned'] == {
        **{'count': 0, 'before': None, 'after': None, 'growth': None, 'sign_changed': None},
    }


def test_other_shapes_are_named():
    with pytest.raises(errors.MaskError, match="final weights: .*'a/kernel'.*same model"):
        weights.compare(MASK, INITIAL, {**FINAL, 'a/kernel': np.zeros((3, 2))})
    with pytest.raises(errors.MaskError, match='b/kernel'):
        weights.compare(MASK, {'a/kernel': INITIAL['a/kernel']}, FINAL)


def test_histograms_count_every_weight():
    bins = weights.edges(np.array([3.0, -1.0]), 6)
    assert bins.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert weights.histogram(np.array([-3.0, 3.0, -1.0, 0.0, 99.0]), bins) == [1, 0, 1, 1, 0, 2]
    assert weights.edges(np.zeros(3), 2).tolist() == [-1, 0, 1]


def test_tables(seen):
    analysis = weights.Weights(None)
    own = {'a/kernel': np.array([[9.0, 0], [1, 2]]), 'b/kernel': np.array([[0], [-3.0]])}
    analysis.add(seen(dict(MASK), INITIAL, FINAL, own))
    row = next(r for r in analysis.tables['weights'] if r['kernel'] == 'a/kernel')
    assert (row['replicate'], row['round'], row['density']) == (0, 1, 4 / 6)
    assert row['dense_growth_survivors'] == 1.5 and row['dense_growth_pruned'] == -1.0
    # The ticket itself: 1 -> 9, 0.5 -> 1, 0 -> 2.
    assert row['ticket_growth'] == pytest.approx(10.5 / 3) and row['ticket_sign_changed'] == 0
    (first, second) = analysis.tables['weights_histograms']
    assert sum(first['initial_survivors']) == 3 and sum(first['initial_pruned']) == 1
    assert sum(first['ticket_final']) == 3
    assert (first['edges'][0], second['edges'][-1]) == (-3, 4)
    # Edges are those of the first ticket: 9 counts in the outermost bin.
    assert first['ticket_final'][-1] == 1
