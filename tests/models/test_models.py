"""What holds for each network: built anew, for the data at hand, with the options it names."""

import hashlib

import numpy as np
import pytest

from lth_keras import architecture, models
from lth_keras._compat import layers, tf_keras
from lth_keras.errors import ConfigError
from lth_keras.initializers import initializer
from lth_keras.models import MODELS
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.kernels import kernels as kernels_of
from tests.models.measured import check_std, kernels, sizes

SHAPE, CLASSES = (16, 16, 3), 7
DROPOUT = [name for name in MODELS if 'dropout' in models.options_of(name)]
# Kernels and all parameters on the data of the paper: (28, 28, 1) for LeNets, else (32, 32, 3).
COUNTS = {
    'lenet_300_100': (266_200, 266_610),
    'mlp': (266_200, 266_610),
    'lenet_5': (44_190, 44_426),
    'conv_2': (4_300_992, 4_301_642),
    'conv_4': (2_425_024, 2_425_930),
    'conv_6': (2_261_184, 2_262_602),
    'conv_8': (5_275_840, 5_278_282),
    'resnet_20': (270_896, 274_042),
    'resnet': (270_896, 274_042),
    'vgg_11': (9_222_848, 9_233_866),
    'vgg_13': (9_407_168, 9_418_954),
    'vgg_16': (14_715_584, 14_732_490),
    'vgg_19': (20_024_000, 20_046_026),
}
# The first networks as they were before builders had options, on (8, 8, 1) and 7 classes.
DESCRIPTIONS = {
    'lenet_300_100': '8c075a82e967efce',
    'conv_2': 'e1c121edfe963447',
    'conv_4': '3469b4c4fc2bb836',
    'conv_6': 'ecfd94ab94395b5d',
    'resnet_20': '48fc6770e71dc75d',
}


def small(name, **options):
    neutral = {'width': 0.125} | ({'depth': 14} if name == 'resnet' else {})
    return models.builder(name, SHAPE, CLASSES, **(neutral | options))


@pytest.mark.parametrize('name', MODELS)
def test_counts_are_those_of_the_paper(name):
    model = MODELS[name](initializer='zeros')
    images = (28, 28, 1) if name in ('lenet_300_100', 'mlp', 'lenet_5') else (32, 32, 3)
    assert (model.input_shape, model.output_shape) == ((None, *images), (None, 10))
    assert (sizes(kernels(model)), model.count_params()) == COUNTS[name]


@pytest.mark.parametrize('name', MODELS)
def test_a_builder_builds_anew_from_the_global_seed_and_leaves_compiling_to_others(name):
    build = small(name)
    built = []
    for seed in (1, 1, 2):
        tf_keras.utils.set_random_seed(seed)
        built.append(build())
    one, again = built[:2]
    assert not {id(v) for v in one.weights} & {id(v) for v in again.weights}
    assert architecture.to_json(one) == architecture.to_json(again)
    assert not one._is_compiled
    assert one._is_graph_network and one.built
    first, second, third = ([value.numpy() for value in kernels(model)] for model in built)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    # A seed fixed in the builder would start every replicate alike.
    assert not any(np.array_equal(a, b) for a, b in zip(first, third, strict=True))


@pytest.mark.parametrize('name', MODELS)
def test_a_network_gives_logits_and_can_be_wrapped(name):
    # Biases away from zero, so that a softmax or a cut at zero at the end would show.
    model = small(name)()
    model.layers[-1].bias.assign(np.linspace(-3, 5, 7))
    inputs = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    outputs = model(inputs, training=False).numpy()
    assert outputs.shape == (2, CLASSES)
    assert outputs.min() < 0 and outputs.max() > 1
    wrapped = PruningPolicy().wrap(model)
    assert np.array_equal(wrapped(inputs, training=False).numpy(), outputs)


@pytest.mark.parametrize('name', MODELS)
def test_every_kernel_of_a_network_may_be_pruned(name):
    model = small(name)()
    found = kernels_of(model)[0]
    assert sum(k.size for k in found) == sizes(kernels(model))
    assert [k.kind for k in found].count('output') == 1
    assert found[-1].kind == 'output'
    shortcuts = 2 if name.startswith('resnet') else 0
    assert [k.kind for k in found].count('shortcut') == shortcuts


# -- options


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_without_options_the_first_networks_are_what_they_were(name):
    text = architecture.to_json(models.builder(name, (8, 8, 1), 7)())
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DESCRIPTIONS[name]


@pytest.mark.parametrize('name', MODELS)
def test_width_is_a_factor_on_everything_but_the_output(name):
    def units(width):
        model = small(name, width=width, initializer='zeros')()
        return [kernel.shape[-1] for kernel in kernels(model)]

    whole, narrow = units(1), units(0.125)
    assert narrow[:-1] == [max(1, round(n / 8)) for n in whole[:-1]]  # half to even
    assert narrow[-1] == whole[-1] == CLASSES


@pytest.mark.parametrize('name', MODELS)
def test_two_layers_of_one_initialiser_start_differently(name):
    values = [k.numpy() for k in kernels(small(name, initializer=initializer('he_normal', 2))())]
    for i, one in enumerate(values):
        assert one.std() > 0
        for other in values[:i]:
            size = min(one.size, other.size)
            assert not np.array_equal(one.ravel()[:size], other.ravel()[:size])


@pytest.mark.parametrize('name', MODELS)
def test_a_scaled_initialiser_gives_every_layer_its_std(name):
    given = initializer('he_normal', 0.5)
    model = small(name, initializer=given)()
    for kernel in kernels(model):
        check_std(kernel, 0.5 * np.sqrt(2 / np.prod(kernel.shape[:-1])))
    assert given == initializer('he_normal', 0.5)  # Keras left the dictionary alone
    assert not model.layers[-1].bias.numpy().any()


@pytest.mark.parametrize('name', DROPOUT)
def test_dropout_follows_every_hidden_dense_layer(name):
    plain, model = small(name)(), small(name, dropout=0.25)()
    kinds = [type(layer).__name__ for layer in model.layers]
    dense = [i for i, kind in enumerate(kinds) if kind == 'Dense']
    assert [kinds[i + 1] for i in dense[:-1]] == ['Dropout', 'Dropout'] == kinds[-4:-1:2]
    assert (kinds.count('Dropout'), kinds[-1]) == (2, 'Dense')
    assert {layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)} == {0.25}
    assert not any(isinstance(layer, layers.Dropout) for layer in plain.layers)
    paths = [[k.path for k in kernels_of(m)[0]] for m in (plain, model)]
    assert paths[0] == paths[1]
    wrapped = PruningPolicy().wrap(model)
    inputs = np.ones((2, *SHAPE), np.float32)
    expected = model(inputs, training=False)
    assert np.array_equal(wrapped(inputs, training=False), expected)
    assert not np.array_equal(wrapped(inputs, training=True), expected)


def test_networks_with_normalisation_have_no_dropout():
    assert set(MODELS) - set(DROPOUT) == {n for n in MODELS if n.startswith(('resnet', 'vgg'))}


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize(
    'wrong',
    [
        *[{'width': width} for width in (0, -1, float('nan'), float('inf'), '1', True)],
        {'initializer': 'he_normall'},
        {'initializer': {'class_name': 'VarianceScaling', 'config': {'scale': -1.0}}},
        {'initializer': {'name': 'he_normal'}},
        {'initializer': tf_keras.initializers.HeNormal()},
        {'initializer': None},
        {'initializer': ''},
    ],
    # An object's address would make a test of another name in every process.
    ids=lambda wrong: str(wrong).split(' object at')[0],
)
def test_options_out_of_range_are_refused(name, wrong):
    (option,) = wrong
    with pytest.raises(ConfigError, match=f'^{option}: expected .*received .*; '):
        small(name, **wrong)()


@pytest.mark.parametrize('name', DROPOUT)
@pytest.mark.parametrize('wrong', [-0.1, 1, 1.5, float('nan'), '0.5', True])
def test_a_dropout_out_of_range_is_refused(name, wrong):
    with pytest.raises(ConfigError, match='^dropout: expected a share in .*received'):
        small(name, dropout=wrong)()


LEAST = {'conv_2': 2, 'conv_4': 4, 'conv_6': 8, 'conv_8': 16, 'lenet_5': 16}
LEAST |= {name: 16 for name in MODELS if name.startswith('vgg')} | {'resnet_20': 1, 'resnet': 1}


@pytest.mark.parametrize('name', LEAST)
def test_inputs_that_are_no_images_are_refused_by_name(name):
    least = LEAST[name]
    match = f'model .{name}.: expected images .*{least} x {least} pixels'
    for shape in [(784,), (28, 28), (4, 28, 28, 3), (least - 1, 28, 3), (28, least - 1, 3)]:
        with pytest.raises(ConfigError, match=match):
            models.builder(name, shape, 10)()
    model = models.builder(name, (least, least + 1, 1), 10, width=0.01)()
    assert kernels(model)[0].shape[-1] == 1  # never none
    assert model(np.zeros((2, least, least + 1, 1)), training=False).shape == (2, 10)
