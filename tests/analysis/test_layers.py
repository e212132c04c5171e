"""Density and effective density per layer, by hand."""

import numpy as np

from lth_keras._compat import layers as keras_layers
from lth_keras._compat import tf_keras
from lth_keras.analysis import layers
from tests import nets


def build():
    return tf_keras.Sequential(
        [
            keras_layers.Dense(3, activation='relu', input_shape=(2,)),
            keras_layers.Dense(2, activation='relu'),
            keras_layers.Dense(2),
        ]
    )


# Unit 0 of the first layer has no input, unit 2 no way out: its only weight leads to unit 1 of the
# second layer, which nobody hears.
MASK = {
    'dense/kernel': [[0, 1, 1], [0, 0, 1]],
    'dense_1/kernel': [[1, 1], [1, 0], [0, 1]],
    'dense_2/kernel': [[1, 1], [0, 0]],
}
ONES = {path: np.ones(np.shape(mask)) for path, mask in MASK.items()}


def test_by_hand(lab, seen):
    analysis = layers.Layers(lab(build, np.ones((2, 2)), ONES))
    analysis.add(seen(ONES, number=0))
    analysis.add(seen(MASK))
    rows = {(r['round'], r['kernel']): r for r in analysis.tables['layers']}
    keys = ('size', 'kept', 'effective', 'units', 'constant', 'unused', 'idle')
    assert [rows[1, 'dense/kernel'][k] for k in keys] == [6, 3, 1, 3, 1, 1, 2]
    assert [rows[1, 'dense_1/kernel'][k] for k in keys] == [6, 4, 1, 2, 0, 1, 1]
    assert [rows[1, 'dense_2/kernel'][k] for k in keys] == [4, 2, 2, 2, 0, 0, 0]
    assert [rows[1, 'all'][k] for k in keys] == [16, 9, 4, 7, 1, 2, 3]
    assert rows[1, 'all']['layer_density'] == 9 / 16
    assert rows[1, 'all']['effective_density'] == 4 / 16
    assert [rows[0, 'all'][k] for k in keys] == [16, 16, 16, 7, 0, 0, 0]
    assert rows[1, 'all']['silent_outputs'] == 0
    assert analysis.notes == []


def test_a_class_that_no_input_reaches_is_said(lab, seen):
    analysis = layers.Layers(lab(build, np.ones((2, 2)), ONES))
    cut = {'dense_1/kernel': [[0, 1], [1, 0], [0, 0]], 'dense_2/kernel': [[1, 0], [0, 1]]}
    analysis.add(seen(MASK | cut))
    assert analysis.notes == [
        'from replicate 0 round 1 on there are outputs that no input reaches: their scores are '
        'constants'
    ]
    assert analysis.tables['layers'][-1]['silent_outputs'] == 1


def test_a_kernel_that_is_not_pruned_counts_as_dense(lab, seen):
    only = {'dense_1/kernel': MASK['dense_1/kernel']}
    analysis = layers.Layers(lab(build, np.ones((2, 2)), only))
    analysis.add(seen(only))
    row = analysis.tables['layers'][0]
    assert (row['effective'], row['idle']) == (4, 0)


def test_what_cannot_be_followed_keeps_its_densities(lab, seen):
    dense = {
        'dense/kernel': np.ones((6, 8)),
        'dense_1/kernel': np.eye(8),
        'dense_2/kernel': np.ones((8, 3)),
    }
    analysis = layers.Layers(lab(nets.residual, np.ones((2, 6)), dense))
    analysis.add(seen(dense))
    row = analysis.tables['layers'][1]
    assert row['layer_density'] == 1 / 8 and row['effective_density'] is None
    assert analysis.tables['layers'][-1]['effective'] is None
    assert "not computed: layer 'tf.__operators__.add'" in analysis.notes[0]


def test_a_kernel_outside_of_the_graph_is_named(lab, seen):
    analysis = layers.Layers(lab(build, np.ones((2, 2)), ONES))
    analysis.add(seen({'other/recurrent_kernel': np.eye(2)}))
    assert 'other/recurrent_kernel is no kernel' in analysis.notes[0]
    assert analysis.tables['layers'][0]['effective'] is None
