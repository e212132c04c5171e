"""Units made to die, and what they touch."""

import numpy as np
import pytest

from lth_keras import errors, graph
from lth_keras._compat import layers, tf_keras
from lth_keras.analysis import dead_units
from lth_keras.mask import Mask
from tests import nets


def build():
    """Non-negative inputs; unit 0 of the hidden layer will be pushed below 0."""
    return tf_keras.Sequential(
        [
            layers.Dense(3, activation='relu', input_shape=(2,), name='a'),
            layers.Dense(2, name='b'),
            layers.ReLU(name='c'),
            layers.Dense(2, name='d'),
        ]
    )


X = np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]], np.float32)
WEIGHTS = {
    'a/kernel': np.array([[-1, 1, 0], [-1, -1, 1]], np.float32),
    'a/bias': np.array([0, 0, -1], np.float32),
    'b/kernel': np.array([[1, 1], [1, -1], [1, -1]], np.float32),
    'b/bias': np.array([0, 0], np.float32),
    'd/kernel': np.ones((2, 2), np.float32),
    'd/bias': np.zeros(2, np.float32),
}


def test_units_that_never_fire():
    # a: unit 0 is -x - y <= 0; unit 1 fires for the first example; unit 2, y - 1, for the second.
    # b: unit 1 is -(unit 1 + unit 2) <= 0.
    activity = dead_units.Activity(build())
    found = activity.dead(WEIGHTS, X)
    assert {k: v.tolist() for k, v in found.items()} == {
        'a': [True, False, False],
        'c': [False, True],
    }
    found = activity.dead(WEIGHTS, X[:1])
    assert found['a'].tolist() == [True, False, True]


def test_batches_are_looked_at_together(monkeypatch):
    monkeypatch.setattr(dead_units, 'BATCH', 2)
    found = dead_units.Activity(build()).dead(WEIGHTS, X[::-1])
    assert found['a'].tolist() == [True, False, False]


def test_a_channel_is_dead_if_it_fires_nowhere():
    model = tf_keras.Sequential(
        [layers.Conv2D(2, 1, activation='relu', input_shape=(2, 2, 1)), layers.Flatten()]
    )
    weights = {'conv2d/kernel': np.array([[[[1.0, 1.0]]]]), 'conv2d/bias': np.array([-2.5, -3.5])}
    pictures = np.array([[[[0], [1]], [[2], [3]]]], np.float32)
    found = dead_units.Activity(model).dead(weights, pictures)
    assert found['conv2d'].tolist() == [False, True]


def test_what_counts_as_relu():
    for layer, expected in [
        (layers.Dense(1, activation='relu'), True),
        (layers.Dense(1, activation=layers.ReLU()), True),
        (layers.Activation('relu'), True),
        (layers.ReLU(max_value=6), True),
        (layers.ReLU(negative_slope=0.1), False),
        (layers.LeakyReLU(), False),
        (layers.Dense(1, activation='tanh'), False),
        (layers.Flatten(), False),
    ]:
        assert dead_units.is_relu(layer) == expected


def test_shares_by_hand():
    mask = Mask({'k': [[1, 0, 0], [1, 1, 0]], 'l': [[0], [1], [1]]})
    touching = {
        'k': np.array([[0, 0, 1], [0, 0, 1]], bool),
        'l': np.array([[0], [0], [1]], bool),
    }
    found = dead_units.shares(mask, touching)
    assert found['k'] == {
        **{'pruned': 3, 'touching': 2, 'of_pruned': 2 / 3, 'of_all': 2 / 6, 'of_kept': 0.0},
    }
    assert found['l'] == {
        **{'pruned': 1, 'touching': 1, 'of_pruned': 0.0, 'of_all': 1 / 3, 'of_kept': 1 / 2},
    }
    assert found['all'] == {
        **{'pruned': 4, 'touching': 3, 'of_pruned': 2 / 4, 'of_all': 3 / 9, 'of_kept': 1 / 5},
    }
    assert dead_units.shares(Mask({'k': [1]}), {'k': np.zeros(1)})['k']['of_pruned'] is None


def test_tables(lab, seen):
    kernels = {p: w for p, w in WEIGHTS.items() if p.endswith('kernel')}
    ones = {p: np.ones(w.shape) for p, w in kernels.items()}
    analysis = dead_units.DeadUnits(lab(build, X, ones))
    # Of the pruned weights a[0, 0] and b[0, 1] touch a dead unit, a[0, 2] does not.
    mask = {p: np.ones(w.shape, bool) for p, w in kernels.items()}
    mask['a/kernel'][0, [0, 2]] = mask['b/kernel'][0, 1] = False
    analysis.add(seen(ones, WEIGHTS, WEIGHTS, WEIGHTS, number=0))
    analysis.add(seen(mask, WEIGHTS, WEIGHTS, WEIGHTS))
    rows = [r for r in analysis.tables['dead_units'] if r['weights'] == 'final' and r['round'] == 1]
    assert [(r['layer'], r['units'], r['dead']) for r in rows] == [
        ('a', 3, 1),
        ('c', 2, 1),
        ('all', 5, 2),
    ]
    shares = {(r['dead_in'], r['kernel']): r for r in analysis.tables['dead_units_mask']}
    # a: column 0. b: row 0 (out of the dead one) and column 1 (into the other). d: row 1.
    counts = [shares['dense', k]['touching'] for k in (*kernels, 'all')]
    assert counts == [2, 4, 2, 8]
    assert shares['ticket', 'all']['of_pruned'] == 2 / 3
    assert shares['ticket', 'all']['of_all'] == 8 / 16
    assert shares['dense', 'a/kernel']['of_pruned'] == 1 / 2
    assert analysis.notes == []


def test_units_die_under_a_ticket_of_their_own(lab, seen):
    ones = {p: np.ones(w.shape) for p, w in WEIGHTS.items() if p.endswith('kernel')}
    analysis = dead_units.DeadUnits(lab(build, X, ones), 'validation')
    other = {**WEIGHTS, 'a/bias': np.array([9, 9, 9], np.float32)}
    analysis.add(seen(ones, WEIGHTS, WEIGHTS, other))
    shares = {(r['dead_in'], r['kernel']): r for r in analysis.tables['dead_units_mask']}
    # Validation is the first example alone, for which unit 2 of the dense network is silent too.
    assert shares['dense', 'a/kernel']['touching'] == 4
    assert shares['ticket', 'a/kernel']['touching'] == 0


def test_models_without_relu_and_models_in_models_are_named(lab, seen):
    def tanh():
        return tf_keras.Sequential([layers.Dense(2, 'tanh', input_shape=(2,))])

    analysis = dead_units.DeadUnits(lab(tanh, X, {'dense/kernel': np.ones((2, 2))}))
    analysis.add(seen({'dense/kernel': np.ones((2, 2))}))
    assert analysis.tables == {} and analysis.notes == [
        'dead units: not computed: the model has no ReLU layer'
    ]
    with pytest.raises(errors.ModelError, match='model within the model'):
        dead_units.Activity(nets.nested())


def test_what_cannot_be_followed_still_counts(lab, seen):
    dense = {
        'dense/kernel': np.ones((6, 8)),
        'dense_1/kernel': np.eye(8),
        'dense_2/kernel': np.ones((8, 3)),
    }
    analysis = dead_units.DeadUnits(lab(nets.residual, np.ones((2, 6)), dense))
    zeros = {p: np.zeros(v.shape, np.float32) for p, v in graph.variables(nets.residual()).items()}
    analysis.add(seen(dense, zeros, zeros, zeros))
    assert {r['share'] for r in analysis.tables['dead_units']} == {1.0}
    assert 'dead_units_mask' not in analysis.tables
    assert analysis.notes[0].startswith('share of a mask that dead units explain: not computed')
