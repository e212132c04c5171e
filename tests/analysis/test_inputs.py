"""Where the first layer looks, by hand."""

import numpy as np
import pytest

from lth_keras import errors
from lth_keras._compat import layers, tf_keras
from lth_keras.analysis import inputs
from tests import nets


def sequential(*parts):
    return lambda: tf_keras.Sequential(list(parts))


def test_dense_first_layer(lab, seen):
    build = sequential(
        layers.Flatten(input_shape=(2, 2, 1)), layers.Dense(3, activation='relu'), layers.Dense(2)
    )
    pictures = np.array([[[[0], [1]], [[0], [2]]], [[[0], [3]], [[0], [0]]]])
    mask = {'dense/kernel': [[0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]]}
    mask['dense_1/kernel'] = np.ones((3, 2), bool)
    analysis = inputs.Inputs(
        lab(build, pictures, {k: np.ones(np.shape(v)) for k, v in mask.items()})
    )
    analysis.add(seen(mask))
    (row,) = analysis.tables['inputs']
    assert row['kernel'] == 'dense/kernel' and row['what'] == 'input'
    assert row['kept'] == [[[0], [3]], [[1], [2]]]
    assert (row['unseen'], row['least'], row['most'], row['units']) == (1, 0, 3, 3)
    # Kept 0, 3, 1, 2 against standard deviations 0, 1, 0, 1 of the pixels.
    assert row['correlation_with_spread'] == pytest.approx(2 / np.sqrt(5 * 1))


def test_convolution_first(lab, seen):
    build = sequential(layers.Conv2D(2, (1, 2), input_shape=(3, 3, 2)), layers.Flatten())
    mask = np.zeros((1, 2, 2, 2), bool)
    mask[0, 0, 0], mask[0, 1, 1, 0] = True, True
    analysis = inputs.Inputs(
        lab(build, np.ones((2, 3, 3, 2)), {'conv2d/kernel': np.ones(mask.shape)})
    )
    analysis.add(seen({'conv2d/kernel': mask}))
    (row,) = analysis.tables['inputs']
    assert row['what'] == 'filter' and row['kept'] == [[[2, 0], [0, 1]]]
    assert row['correlation_with_spread'] is None


def test_a_vector(lab, seen):
    mask = {'dense/kernel': np.eye(6, 10, dtype=bool), 'dense_1/kernel': np.ones((10, 3))}
    analysis = inputs.Inputs(lab(nets.dense, nets.data().train[0], mask))
    analysis.add(seen(mask))
    assert analysis.tables['inputs'][0]['kept'] == [1] * 6


def test_two_layers_that_see_the_input(lab, seen):
    def build():
        x = layers.Input((4,))
        both = layers.Concatenate()([layers.Dense(2, name='a')(x), layers.Dense(3, name='b')(x)])
        return tf_keras.Model(x, layers.Dense(2, name='c')(both))

    dense = {'a/kernel': np.ones((4, 2)), 'b/kernel': np.ones((4, 3)), 'c/kernel': np.ones((5, 2))}
    analysis = inputs.Inputs(lab(build, np.ones((2, 4)), dense))
    analysis.add(seen(dense))
    assert [row['kernel'] for row in analysis.tables['inputs']] == ['a/kernel', 'b/kernel']
    del dense['a/kernel']
    analysis = inputs.Inputs(lab(build, np.ones((2, 4)), dense))
    assert analysis.notes == ['inputs: a/kernel is not pruned, so it looks everywhere']


def test_what_cannot_be_followed_is_named(lab):
    model = inputs.Inputs(lab(nets.residual, np.ones((2, 6)), {'dense/kernel': [[1]]}))
    assert model.notes[0].startswith("inputs: not computed: layer 'tf.__operators__.add'")


def test_images_have_the_size_of_the_input():
    with pytest.raises(errors.ModelError, match='each of the 4 input elements, received 3'):
        inputs.as_image(np.arange(3), (2, 2, 1))
