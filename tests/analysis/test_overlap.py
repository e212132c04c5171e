"""Overlap of masks: by hand, and chance against simulation."""

import numpy as np
import pytest

from lth_keras import errors
from lth_keras.analysis import overlap
from lth_keras.mask import Mask


def test_by_hand():
    first = Mask({'a': [1, 1, 1, 0, 0, 0, 0, 0], 'b': [1, 0]})
    second = Mask({'a': [1, 1, 0, 1, 1, 0, 0, 0], 'b': [0, 1]})
    found = overlap.overlap(first, second)
    # a: 3 and 4 of 8, 2 in common of 5; 1.5 by chance.
    assert found['a'] | {'z': 0} == {
        **{'size': 8, 'kept_first': 3, 'kept_second': 4, 'both': 2, 'jaccard': 0.4},
        **{'expected': 1.5, 'expected_jaccard': 1.5 / 5.5, 'over_chance': 2 / 1.5, 'z': 0},
    }
    assert found['a']['z'] == pytest.approx(0.5 / np.sqrt(3 * 4 * 5 * 4 / (64 * 7)))
    assert found['b']['jaccard'] == 0 and found['b']['expected'] == 0.5
    # All: 2 in common of 4 and 5; 2 by chance, not the 4 * 5 / 10 of unknown layers.
    assert (found['all']['both'], found['all']['expected']) == (2, 2.0)
    assert found['all']['jaccard'] == 2 / 7 and found['all']['z'] == 0


def test_equal_dense_and_disjoint():
    dense = Mask({'a': np.ones((3, 2), bool)})
    found = overlap.overlap(dense, dense)['a']
    assert (found['jaccard'], found['expected_jaccard']) == (1, 1)
    assert found['over_chance'] is None and found['z'] is None  # chance has one outcome
    assert overlap.overlap(Mask({'a': [0]}), Mask({'a': [0]}))['a']['jaccard'] == 1
    with pytest.raises(errors.MaskError, match='does not fit'):
        overlap.overlap(dense, Mask({'a': np.ones((2, 3), bool)}))


def test_chance_is_what_a_simulation_gives():
    rng = np.random.default_rng(0)
    sizes, kept = {'a': 40, 'b': 30}, {'a': (10, 16), 'b': (24, 6)}

    def drawn(side):
        return Mask({p: rng.permutation(np.arange(n) < kept[p][side]) for p, n in sizes.items()})

    found = [overlap.overlap(drawn(0), drawn(1)) for _ in range(3000)]
    for name in (*sizes, 'all'):
        both = np.array([row[name]['both'] for row in found])
        z = np.array([row[name]['z'] for row in found])
        expected = found[0][name]['expected']
        assert abs(both.mean() - expected) < 4 * both.std() / np.sqrt(len(both))
        assert abs(z.std() - 1) < 0.06
        # Uncorrelated layers: chance for all of them is not the chance of one large layer.
        jaccard = np.mean([row[name]['jaccard'] for row in found])
        assert abs(jaccard - found[0][name]['expected_jaccard']) < 0.01


def test_pairs(seen):
    analysis = overlap.Overlap(None)
    masks = {(0, 0): [1, 1, 1, 1], (0, 1): [1, 1, 0, 0], (1, 0): [1, 1, 1, 1], (1, 1): [0, 1, 1, 0]}
    for (replicate, number), mask in masks.items():
        analysis.add(seen({'a/kernel': [mask]}, replicate=replicate, number=number))
    analysis.finish()
    between = [r for r in analysis.tables['overlap_replicates'] if r['kernel'] == 'all']
    assert [(r['round'], r['first'], r['second'], r['jaccard']) for r in between] == [
        (0, 0, 1, 1.0),
        (1, 0, 1, 1 / 3),
    ]
    rounds = [r for r in analysis.tables['overlap_rounds'] if r['kernel'] == 'all']
    assert [(r['replicate'], r['nested'], r['jaccard']) for r in rounds] == [
        (0, True, 0.5),
        (1, True, 0.5),
    ]
    assert analysis.notes == []


def test_masks_that_regrow_are_not_nested(seen):
    analysis = overlap.Overlap(None)
    analysis.add(seen({'a/kernel': [[1, 0]]}, number=1))
    analysis.add(seen({'a/kernel': [[0, 1]]}, number=2))
    analysis.finish()
    assert [r['nested'] for r in analysis.tables['overlap_rounds']] == [False, False]
    assert any('two replicates' in note for note in analysis.notes)
