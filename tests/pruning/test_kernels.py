"""Which weights are kernels, of which kind, and the reason for each layer that has none."""

import numpy as np
import pytest

from lth_keras._compat import layers, tf_keras
from lth_keras.pruning.kernels import kernels
from tests import nets

KINDS = {
    nets.dense: {'dense/kernel': 'dense', 'dense_1/kernel': 'output'},
    nets.residual: {
        'dense/kernel': 'dense',
        'dense_1/kernel': 'dense',
        'dense_2/kernel': 'output',
    },
    nets.nested: {
        'model/dense/kernel': 'dense',
        'model/dense_1/kernel': 'dense',
        'sequential/dense/kernel': 'dense',
        'sequential/dense_1/kernel': 'output',
    },
    nets.resnet: {
        'stem/kernel': 'conv',
        'block1_a/kernel': 'conv',
        'block1_b/kernel': 'conv',
        'block2_a/kernel': 'conv',
        'block2_b/kernel': 'conv',
        'block2_shortcut/kernel': 'shortcut',
        'head/kernel': 'output',
    },
}


def kinds(model):
    return {kernel.path: kernel.kind for kernel in kernels(model)[0]}


@pytest.mark.parametrize('build', KINDS, ids=lambda build: build.__name__)
def test_kinds_follow_from_the_graph(build):
    assert dict(sorted(kinds(build()).items())) == dict(sorted(KINDS[build].items()))


def test_each_output_has_its_last_kernel():
    inputs = layers.Input((6,))
    x = layers.Dense(8, name='body')(inputs)
    a = layers.Softmax()(layers.Dense(3, name='a')(x))
    y = layers.Dense(5, name='more')(x)
    b = layers.Rescaling(2.0)(layers.BatchNormalization()(layers.Dense(2, name='b')(y)))
    assert kinds(tf_keras.Model(inputs, [a, b])) == {
        'body/kernel': 'dense',
        'a/kernel': 'output',
        'more/kernel': 'dense',
        'b/kernel': 'output',
    }


def test_an_output_that_is_also_an_input_of_others_is_an_output():
    inputs = layers.Input((6,))
    early = layers.Dense(5, name='early')(inputs)
    late = layers.Dense(3, name='late')(early)
    assert set(kinds(tf_keras.Model(inputs, [early, late])).values()) == {'output'}


def test_a_path_around_the_last_layer_has_a_last_kernel_too():
    inputs = layers.Input((6,))
    x = layers.Dense(4, name='first')(inputs)
    y = layers.Dense(4, name='second')(x)
    model = tf_keras.Model(inputs, layers.Add()([layers.ReLU()(x), y]))
    assert kinds(model) == {'first/kernel': 'output', 'second/kernel': 'output'}


def test_outputs_of_nested_models_with_two_outputs():
    inside = layers.Input((6,))
    x = layers.Dense(5, name='trunk')(inside)
    two = [layers.Dense(4, name='left')(x), layers.Dense(3, name='right')(x)]
    inner = tf_keras.Model(inside, two, name='inner')
    inputs = layers.Input((6,))
    left, right = inner(inputs)
    model = tf_keras.Model(inputs, [layers.Dense(2, name='top')(left), right])
    assert kinds(model) == {
        'inner/trunk/kernel': 'dense',
        'inner/left/kernel': 'dense',
        'inner/right/kernel': 'output',
        'top/kernel': 'output',
    }


def block(stem, bottleneck, convolved, size=1):
    """A residual block of 2 or 3 convolutions behind a stem; the last and the shortcut vary."""
    x = inputs = layers.Input((6, 6, 4))
    if stem:
        x = layers.Conv2D(4, 1, name='stem')(x)
    y = layers.Conv2D(4, 1 if bottleneck else 3, padding='same', name='a')(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    if bottleneck:
        y = layers.Conv2D(4, 3, padding='same', name='b')(y)
    y = layers.Conv2D(4, 1 if bottleneck else 3, padding='same', name='last')(y)
    around = x
    if convolved:
        around = layers.Conv2D(4, size, padding='same', name='around')(x)
        around = layers.BatchNormalization()(around)
    x = layers.ReLU()(layers.Add()([around, y]))
    return tf_keras.Model(inputs, layers.Dense(3, name='head')(layers.Flatten()(x)))


@pytest.mark.parametrize('bottleneck', [False, True])
@pytest.mark.parametrize('stem', [False, True])
def test_only_the_convolution_around_a_block_is_a_shortcut(stem, bottleneck):
    with_one = kinds(block(stem, bottleneck, convolved=True))
    assert [path for path, kind in with_one.items() if kind == 'shortcut'] == ['around/kernel']
    without = kinds(block(stem, bottleneck, convolved=False))
    assert 'shortcut' not in without.values()
    # A 3x3 convolution in its place is a branch like the other.
    assert 'shortcut' not in kinds(block(stem, bottleneck, convolved=True, size=3)).values()


def test_a_shortcut_is_seen_through_operations_and_nested_models():
    inside = layers.Input((6, 6, 4))
    y = layers.Conv2D(5, 3, padding='same', name='a')(inside)
    y = layers.Conv2D(5, 3, padding='same', name='b')(y)
    body = tf_keras.Model(inside, y, name='body')
    inputs = layers.Input((6, 6, 4))
    x = body(inputs) + layers.Conv2D(5, 1, name='around')(inputs)
    model = tf_keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    assert kinds(model) == {
        'body/a/kernel': 'conv',
        'body/b/kernel': 'conv',
        'around/kernel': 'shortcut',
        'dense/kernel': 'output',
    }


def test_layers_without_a_kernel_have_a_reason():
    class Odd(layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=(int(shape[-1]),), name='weight')

        def call(self, inputs):
            return inputs * self.weight

    x = inputs = layers.Input((5,), dtype='int32')
    x = layers.Embedding(7, 4)(x)
    x = layers.MultiHeadAttention(1, 2)(x, x)
    x = layers.LayerNormalization()(x)
    x = layers.Reshape((5, 4, 1))(x)
    x = layers.DepthwiseConv2D(2)(x)
    x = layers.BatchNormalization()(Odd()(x))
    model = tf_keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.1)(layers.Flatten()(x))))
    found, reasons = kernels(model)
    assert [kernel.path for kernel in found] == ['dense/kernel']
    assert list(reasons) == [
        'embedding',
        'multi_head_attention',
        'layer_normalization',
        'depthwise_conv2d',
        'odd',
        'batch_normalization',
    ]
    assert 'Odd' in reasons['odd'] and 'Embedding' not in reasons['odd']
    for path, word in [('embedding', 'embedding'), ('depthwise_conv2d', 'depthwise')]:
        assert word in reasons[path] and 'never' in reasons[path]
    assert 'attention' in reasons['multi_head_attention']


def test_kernels_tell_shape_and_size():
    kernel = kernels(nets.resnet())[0][0]
    assert (kernel.path, kernel.shape, kernel.size) == ('stem/kernel', (3, 3, 2, 4), 72)
    assert (kernel.layer_path, kernel.inside, kernel.attribute) == ('stem', (), 'kernel')
    cell = kernels(tf_keras.Sequential([layers.LSTM(3, input_shape=(2, 4))]))[0][1]
    assert (cell.path, cell.inside) == ('lstm/cell/recurrent_kernel', ('cell',))
    assert cell.shape == (3, 12) and np.prod(cell.shape) == cell.size


def test_a_wrapped_model_has_the_kernels_of_the_bare_one():
    from lth_keras.pruning import PruningPolicy

    for build in KINDS:
        model = build()
        assert kinds(PruningPolicy().wrap(model)) == kinds(model)
