"""Builders found by name, the user's own among them: data and options reach them, or an error."""

import pytest

from lth_keras import models
from lth_keras._compat import layers, tf_keras
from lth_keras.errors import ConfigError


def tiny(classes):
    return tf_keras.Sequential([layers.Dense(classes, input_shape=(4,))])


def fixed():
    return tf_keras.Sequential([layers.Dense(2, input_shape=(4,))])


def test_a_builder_gets_what_it_asks_for():
    assert models.builder(tiny, (4,), 5)().output_shape == (None, 5)
    assert models.builder(fixed, (9,), 5)().output_shape == (None, 2)


def test_a_builder_by_name(tmp_path, monkeypatch):
    (tmp_path / 'my_nets_of_tests.py').write_text(
        'def build(input_shape, classes, depth=3):\n    return input_shape, classes, depth\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    name = 'my_nets_of_tests:build'
    assert models.options_of(name) == ('depth',)
    assert models.builder(name, (4,), 5)() == ((4,), 5, 3)
    assert models.builder(name, (4,), 5, depth=9)() == ((4,), 5, 9)
    with pytest.raises(ConfigError, match=f"model '{name}': takes no option width; it takes depth"):
        models.builder(name, (4,), 5, width=0.5)


def named(input_shape, classes, depth, *, width=1.0):
    return input_shape, classes, depth, width


def other_names(shape, n, width=1.0):
    return shape, n, width


def anything(classes, **options):
    return classes, options


def demanding(input_shape, classes, *, depth):
    return input_shape, classes, depth


@pytest.mark.parametrize(
    ('function', 'options', 'known', 'expected'),
    [
        (named, {'depth': 3}, ('depth', 'width'), ('s', 5, 3, 1.0)),
        (named, {'width': 2.0, 'depth': 3}, ('depth', 'width'), ('s', 5, 3, 2.0)),
        (other_names, {}, ('width',), ('s', 5, 1.0)),
        (other_names, {'width': 0.5}, ('width',), ('s', 5, 0.5)),
        (anything, {'width': 0.5, 'more': 1}, (), (5, {'width': 0.5, 'more': 1})),
        (demanding, {'depth': 3}, ('depth',), ('s', 5, 3)),
    ],
)
def test_options_reach_a_function_by_keyword(function, options, known, expected):
    assert models.options_of(function) == known
    assert models.builder(function, 's', 5, **options)() == expected


@pytest.mark.parametrize(
    ('function', 'options', 'match'),
    [
        ('resnet_20', {'dropout': 0.5}, "'resnet_20': takes no option dropout; it takes width, in"),
        ('resnet_20', {'depth': 56}, "'resnet_20': takes no option depth; it takes width, in"),
        ('lenet_300_100', {'width': 1, 'hidden': (3,)}, 'no option hidden; it takes width, dropo'),
        (fixed, {'width': 1}, "'fixed': takes no option width; it takes none"),
        (other_names, {'shape': 1}, 'takes no option shape; it takes width'),
        (named, {}, r'of \(input_shape, classes\) or of nothing, .* \(input_shape, classes, depth'),
        (demanding, {}, r'received one of \(input_shape, classes, depth\)'),
    ],
)
def test_an_option_that_is_not_taken_or_missing_is_refused_before_building(
    function, options, match
):
    with pytest.raises(ConfigError, match=match):
        models.builder(function, (4,), 5, **options)


def test_the_options_of_the_networks():
    dense = ('lenet_300_100', 'lenet_5', 'conv_2', 'conv_4', 'conv_6', 'conv_8')
    normalised = ('resnet_20', 'vgg_11', 'vgg_13', 'vgg_16', 'vgg_19')
    assert {name: models.options_of(name) for name in models.MODELS} == {
        **dict.fromkeys(dense, ('width', 'dropout', 'initializer')),
        'mlp': ('hidden', 'width', 'dropout', 'initializer'),
        **dict.fromkeys(normalised, ('width', 'initializer')),
        'resnet': ('depth', 'width', 'initializer'),
    }


def test_the_order_of_the_table():
    assert list(models.MODELS) == [
        *['lenet_300_100', 'mlp', 'lenet_5', 'conv_2', 'conv_4', 'conv_6', 'conv_8'],
        *['resnet_20', 'resnet', 'vgg_11', 'vgg_13', 'vgg_16', 'vgg_19'],
    ]


@pytest.mark.parametrize(
    ('name', 'match'),
    [
        ('lenet_300_10', "unknown model 'lenet_300_10': did you mean 'lenet_300_100'"),
        ('no_such_module:f', "model 'no_such_module:f': expected package.module:function"),
        ('math:no_such_function', "has no attribute 'no_such_function'"),
        ('math:pi', 'math:pi'),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_built(name, match):
    with pytest.raises(ConfigError, match=match):
        models.builder(name, (4,), 5)
    with pytest.raises(ConfigError, match=match):
        models.options_of(name)
