"""`PruningPolicy`: rates, scopes, patterns, the report, refusals, and tfmot's own entry points."""

import dataclasses
import warnings

import numpy as np
import pytest

from lth_keras import errors
from lth_keras._compat import layers, tf_keras, tfmot
from lth_keras.mask import Mask
from lth_keras.pruning import (
    PruningPolicy,
    assign_mask,
    check_zeros,
    held_kernels,
    read_mask,
    wrapping,
)
from tests import nets

prune_low_magnitude = tfmot.sparsity.keras.prune_low_magnitude


def rates(policy, model):
    return {choice.path: choice.rate for choice in policy.choices(model) if choice.pruned}


# -- rates and scope


def test_default_rates():
    found = rates(PruningPolicy(), nets.resnet())
    assert found.pop('head/kernel') == 0.1  # half, as the paper does for Conv-n
    assert set(found.values()) == {0.2}


def test_each_kind_has_its_rate():
    policy = PruningPolicy(rate=0.4, conv_rate=0.3, output_rate=0.1, shortcut_rate=0.05)
    assert rates(policy, nets.resnet()) == {
        'stem/kernel': 0.3,
        'block1_a/kernel': 0.3,
        'block1_b/kernel': 0.3,
        'block2_a/kernel': 0.3,
        'block2_b/kernel': 0.3,
        'block2_shortcut/kernel': 0.05,
        'head/kernel': 0.1,
    }
    assert set(rates(PruningPolicy(rate=0.4), nets.dense()).values()) == {0.4, 0.2}
    assert rates(PruningPolicy(conv_rate=0.3), nets.resnet())['block2_shortcut/kernel'] == 0.3


def test_global_scope_takes_one_rate():
    found = rates(PruningPolicy(rate=0.2, scope='global'), nets.resnet())
    assert set(found.values()) == {0.2}
    for options in ({'output_rate': 0.1}, {'conv_rate': 0.1}, {'shortcut_rate': 0.3}):
        with pytest.raises(errors.ConfigError, match='one rate'):
            PruningPolicy(rate=0.2, scope='global', **options)
    assert 'head/kernel' not in rates(
        PruningPolicy(rate=0.2, scope='global', output_rate=0), nets.resnet()
    )


@pytest.mark.parametrize('scope', ['layerwise', 'global'])
def test_a_rate_of_zero_leaves_the_masks(scope):
    policy = PruningPolicy(rate=0.5, output_rate=0, shortcut_rate=0, scope=scope)
    model = policy.wrap(nets.resnet)
    paths = [path for path, _, _ in held_kernels(model)]
    assert 'head/kernel' not in paths and 'block2_shortcut/kernel' not in paths
    mask = policy.prune(model, verbose=0)
    assert mask.kept == sum(round(size / 2) for size in mask.sizes.values())
    report = policy.report(model)
    for kind in ('output', 'shortcut'):
        assert f"left alone: the rate of kind '{kind}' is 0" in report


@pytest.mark.parametrize('rate', [-0.1, 1, 1.5, 'many', float('nan')])
def test_rates_are_shares(rate):
    for name in ('rate', 'conv_rate', 'output_rate', 'shortcut_rate'):
        with pytest.raises(errors.MaskError, match=name):
            PruningPolicy(**{name: rate})


def test_unknown_words_are_refused():
    with pytest.raises(errors.ConfigError, match="did you mean 'global'"):
        PruningPolicy(scope='globl')
    with pytest.raises(errors.ConfigError, match="did you mean 'large_final'"):
        PruningPolicy(criterion='large_finl')
    with pytest.raises(errors.ConfigError, match='half_even'):
        PruningPolicy(rounding='half_evn')


# -- patterns


def test_include_and_exclude_take_paths_and_patterns():
    model = nets.resnet()
    assert list(rates(PruningPolicy(include=['block1_*']), model)) == [
        'block1_a/kernel',
        'block1_b/kernel',
    ]
    assert list(rates(PruningPolicy(include='stem/kernel'), model)) == ['stem/kernel']
    assert 'stem/kernel' not in rates(PruningPolicy(exclude=('stem/*',)), model)
    both = PruningPolicy(include=['block*'], exclude=['*_b/kernel', 'block2_shortcut/kernel'])
    assert list(rates(both, model)) == ['block1_a/kernel', 'block2_a/kernel']


@pytest.mark.parametrize('option', ['include', 'exclude'])
def test_a_pattern_that_matches_nothing_is_a_typo(option):
    with pytest.raises(errors.ConfigError, match="did you mean 'stem/kernel'"):
        PruningPolicy(**{option: ['stm/kernel']}).wrap(nets.resnet)


def test_the_report_names_every_layer_that_is_left_out():
    def build():
        return tf_keras.Sequential(
            [
                layers.Embedding(9, 4, input_length=5),
                layers.Flatten(),
                layers.BatchNormalization(),
                layers.Dense(6, name='kept'),
                layers.Dense(5, name='out'),
                layers.Dense(3),
            ]
        )

    lines = PruningPolicy(rate=0.25, exclude=['out/*']).report(build()).splitlines()
    said = {line.split()[0].rstrip(':'): line for line in lines}
    assert set(said) == {
        *('pruning', 'embedding', 'batch_normalization'),
        *('kept/kernel', 'out/kernel', 'dense/kernel', 'biases'),
    }
    for name in ('embedding', 'batch_normalization', 'out/kernel', 'biases'):
        assert 'left alone' in said[name]
    assert "excluded by 'out/*'" in said['out/kernel']
    assert 'rate 0.25' in said['kept/kernel'] and '20x6' in said['kept/kernel']
    assert 'output' in said['dense/kernel'] and 'rate 0.125' in said['dense/kernel']


# -- paths


@pytest.mark.parametrize(
    'build', [nets.dense, nets.residual, nets.nested, nets.resnet], ids=lambda b: b.__name__
)
def test_paths_are_those_of_any_other_build(build):
    first = PruningPolicy().wrap(build)
    layers.Dense(3), layers.Conv2D(3, 3), tf_keras.Sequential()  # the process goes on counting
    second = PruningPolicy().wrap(build)
    assert read_mask(first).shapes == read_mask(second).shapes
    assert list(wrapping.read(first)) == list(wrapping.read(second))
    wrapping.assign(second, wrapping.read(first))


def test_a_shared_layer_has_one_path():
    inputs = layers.Input((6,))
    twice = layers.Dense(6)
    model = tf_keras.Model(inputs, layers.Dense(3)(twice(twice(inputs))))
    wrapped = PruningPolicy().wrap(model)
    assert [path for path, _, _ in held_kernels(wrapped)] == ['dense/kernel', 'dense_1/kernel']
    assert len(wrapped.trainable_variables) == 4


# -- the given model


def test_the_given_model_is_left_alone():
    given = nets.compiled(nets.normalised(), tf_keras.optimizers.Adam(0.01))
    x, y = nets.examples()
    given.fit(x, y, verbose=0)
    before, config = wrapping.read(given), given.to_json()
    optimizer, function, outputs = given.optimizer, given.train_function, given(x).numpy()
    slots = [variable.numpy() for variable in optimizer.variables()]

    policy = PruningPolicy(rate=0.5)
    model = nets.compiled(policy.wrap(given), tf_keras.optimizers.SGD(0.5))
    mine = {id(variable) for variable in given.variables}
    assert not any(id(variable) in mine for variable in model.variables)
    assert nets.unlike(before, wrapping.read(model)) == []
    np.testing.assert_array_equal(model(x), outputs)
    model.fit(x, y, verbose=0)
    policy.prune(model, verbose=0)

    assert nets.unlike(before, wrapping.read(given)) == []
    assert given.optimizer is optimizer and given.train_function is function
    for variable, value in zip(optimizer.variables(), slots, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert given.to_json() == config and not list(held_kernels(given))
    np.testing.assert_array_equal(given(x), outputs)
    given.fit(x, y, verbose=0)
    assert nets.unlike(before, wrapping.read(given)) != []


def test_wrapping_a_wrapped_model_starts_anew():
    policy = PruningPolicy(rate=0.5)
    first = policy.wrap(nets.dense)
    policy.prune(first, verbose=0)
    second = PruningPolicy(include=['dense/*']).wrap(first)
    assert read_mask(second).survivors == {'dense/kernel': 60}
    assert nets.unlike(wrapping.read(first), wrapping.read(second)) == []
    check_zeros(first)


# -- refusals


@pytest.mark.parametrize('given', ['model', 'builder', 'asked by tfmot'])
def test_a_keras_3_model_is_refused(given):
    keras = pytest.importorskip('keras')
    if keras.__version__.startswith('2'):
        pytest.skip('keras is Keras 2 here')
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    policy = PruningPolicy()
    with pytest.raises(errors.ModelError, match=r'Keras 3.*import tf_keras'):
        if given == 'asked by tfmot':
            policy.ensure_model_supports_pruning(model)
        else:
            policy.wrap(model if given == 'model' else lambda: model)


class Subclassed(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.only = layers.Dense(3)

    def call(self, inputs):
        return self.only(inputs)


def test_models_without_a_graph_are_refused():
    built = Subclassed()
    built(np.zeros((1, 6), np.float32))
    with pytest.raises(errors.ModelError, match='subclassed.*functional API'):
        PruningPolicy().wrap(built)
    with pytest.raises(errors.ModelError, match='not built.*input_shape'):
        PruningPolicy().wrap(lambda: tf_keras.Sequential([layers.Dense(3)]))
    for thing, name in [(None, 'NoneType'), (layers.Dense(3), 'Dense')]:
        with pytest.raises(errors.ModelError, match=f'received {name}'):
            PruningPolicy().wrap(lambda thing=thing: thing)


def test_a_layer_that_is_a_subclassed_model_is_named():
    inputs = layers.Input((6,))
    model = tf_keras.Model(inputs, layers.Dense(2)(Subclassed()(inputs)))
    assert 'subclassed' in PruningPolicy().report(model)
    try:
        wrapped = PruningPolicy(include=['dense/kernel']).wrap(model)
    except errors.ModelError as e:
        assert 'subclassed' in str(e)
    else:
        x, _ = nets.examples()
        np.testing.assert_array_equal(wrapped(x), model(x))


def test_a_model_without_kernels_is_refused():
    model = tf_keras.Sequential([layers.Embedding(5, 2, input_length=3), layers.Flatten()])
    with pytest.raises(errors.ModelError, match='no kernel .*\n.*\n.*embedding.*left alone'):
        PruningPolicy().wrap(model)
    with pytest.raises(errors.ModelError, match='no kernel'):
        PruningPolicy(rate=0).wrap(nets.dense)


def test_a_layer_that_makes_its_layers_when_called_is_held_too():
    class Late(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.inside = layers.Dense(4)

        def call(self, inputs):
            return self.inside(inputs)

    model = tf_keras.Sequential([layers.Input((6,)), Late(), layers.Dense(3)])
    wrapped = PruningPolicy(rate=0.5).wrap(model)
    assert [p for p, _, _ in held_kernels(wrapped)] == ['late/inside/kernel', 'dense/kernel']
    x, _ = nets.examples()
    np.testing.assert_array_equal(wrapped(x), model(x))
    wrapped = PruningPolicy(exclude=['late/*']).wrap(model)
    assert [path for path, _, _ in held_kernels(wrapped)] == ['dense/kernel']


def test_a_layer_without_config_is_named():
    class Fixed(layers.Dense):
        def __init__(self):
            super().__init__(4)

    model = tf_keras.Sequential([layers.Input((6,)), Fixed(), layers.Dense(3)])
    with pytest.raises(errors.ModelError, match='(?s)Fixed cannot be made again.*from_config'):
        PruningPolicy().wrap(model)


def test_two_layers_of_one_renumbered_name_are_refused():
    model = tf_keras.Sequential(
        [layers.Input((6,)), layers.Dense(4, name='a'), layers.Dense(3, name='dense_99')]
    )
    assert PruningPolicy().wrap(model).layers
    tricky = tf_keras.Sequential(
        [layers.Input((6,)), layers.ReLU(name='dense'), layers.Dense(3, name='dense_9')]
    )
    with pytest.raises(errors.ModelError, match="both called 'dense'"):
        PruningPolicy().wrap(tricky)


# -- pruning


def test_prune_takes_the_smallest_and_says_so(capsys):
    policy = PruningPolicy(rate=0.2)
    model = policy.wrap(nets.dense)
    before = wrapping.read(model)
    mask = policy.prune(model)
    assert mask.survivors == {'dense/kernel': 48, 'dense_1/kernel': 27}
    assert mask == read_mask(model)
    for path, kept in mask.items():
        size = np.abs(before[path])
        assert size[~kept].max() <= size[kept].min()
    said = capsys.readouterr().out
    assert 'pruned 15 of 90 weights, 75 of 90 stay (density 0.8333)' in said
    assert 'dense_1/kernel' in said and '27' in said
    again = policy.prune(model, verbose=0)
    assert again <= mask and again.survivors == {'dense/kernel': 38, 'dense_1/kernel': 24}
    assert capsys.readouterr().out == ''


def test_global_pruning_lets_kernels_compete():
    policy = PruningPolicy(rate=0.5, scope='global')
    model = policy.wrap(nets.dense)
    values = wrapping.read(model)
    values['dense/kernel'][:] = 1 + np.arange(60).reshape(6, 10)
    values['dense_1/kernel'][:] = 0.5
    wrapping.assign(model, values)
    assert policy.prune(model, verbose=0).survivors == {'dense/kernel': 44, 'dense_1/kernel': 1}


def test_a_kernel_too_small_is_reported_and_nothing_pruned_is_an_error(capsys):
    build = nets.dense
    policy = PruningPolicy(rate=0.2, output_rate=0.01)
    policy.prune(policy.wrap(build))
    assert 'dense_1/kernel' in capsys.readouterr().out.split('too small')[0].splitlines()[-1]
    tiny = PruningPolicy(rate=0.001, output_rate=0.001)
    with pytest.raises(errors.MaskError, match='nothing was pruned'):
        tiny.prune(tiny.wrap(build), verbose=0)


def test_prune_refuses_nan_and_bare_models():
    policy = PruningPolicy()
    model = policy.wrap(nets.dense)
    values = wrapping.read(model)
    values['dense/kernel'][0, 0] = np.nan
    wrapping.assign(model, values)
    with pytest.raises(errors.MaskError, match=r"'dense/kernel'.*1 NaN"):
        policy.prune(model, verbose=0)
    assert read_mask(model).density == 1.0
    with pytest.raises(errors.ModelError, match='holds no masks'):
        policy.prune(nets.dense(), verbose=0)


def test_masks_of_other_models_are_refused():
    model = PruningPolicy().wrap(nets.dense)
    mask = read_mask(model)
    for arrays, word in [
        ({'dense/kernel': mask['dense/kernel']}, 'no mask for kernel'),
        ({**mask, 'dense_2/kernel': np.ones((3, 3))}, "unknown kernel 'dense_2/kernel'"),
        ({**mask, 'dense/kernel': np.ones((10, 6))}, r'expected shape \(6, 10\)'),
    ]:
        with pytest.raises(errors.MaskError, match=word):
            assign_mask(model, Mask(arrays))
    assert read_mask(model) == mask


def test_check_zeros_counts_what_moved():
    model = PruningPolicy().wrap(nets.dense)
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    check_zeros(model)
    values = wrapping.read(model)
    where = tuple(np.argwhere(~mask['dense/kernel'])[0])
    values['dense/kernel'][where] = 1e-30
    wrapping.assign(model, values)
    with pytest.raises(errors.MaskError, match='dense/kernel: .*found 1 others'):
        check_zeros(model)


def test_counting_knows_what_is_left_out():
    counting = PruningPolicy(rate=0.2, exclude=['dense/*']).counting(nets.dense())
    found = dataclasses.asdict(counting)
    assert found['sizes'] == {'dense_1/kernel': 30} and found['outside'] == 60
    assert {path: float(rate) for path, rate in found['rates'].items()} == {'dense_1/kernel': 0.1}


# -- tfmot


def rescaled():
    """Layers that tfmot refuses without a policy."""
    x = inputs = layers.Input((6,))
    x = layers.Dense(6)(layers.Rescaling(2.0)(x))
    x = x + layers.BatchNormalization()(x)
    return tf_keras.Model(inputs, layers.Dense(3)(x))


def test_tfmot_takes_the_policy():
    with pytest.raises(ValueError):
        prune_low_magnitude(rescaled())
    model = prune_low_magnitude(rescaled(), pruning_policy=PruningPolicy())
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count('PruneLowMagnitude') == 2
    x, y = nets.examples()
    nets.compiled(model).fit(x, y, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])


def wrapped_by_tfmot(model, policy):
    found = prune_low_magnitude(model, pruning_policy=policy)
    return [
        layer.layer.name for layer in found.layers if type(layer).__name__ == 'PruneLowMagnitude'
    ]


def test_tfmot_meets_the_patterns_of_the_policy():
    nets.dense()  # so that the next one is not called dense and dense_1
    model = nets.dense()
    names = [layer.name for layer in model.layers]
    assert wrapped_by_tfmot(model, PruningPolicy(exclude=['dense/kernel'])) == names[1:]
    assert wrapped_by_tfmot(nets.resnet(), PruningPolicy(include=['stem/*'])) == ['stem']


def test_tfmot_meets_the_rates_of_the_policy():
    model = nets.dense()
    assert wrapped_by_tfmot(model, PruningPolicy(output_rate=0)) == [model.layers[0].name]


def test_tfmot_is_not_asked_to_wrap_what_it_does_not_know():
    class Mine(layers.Dense):
        pass

    model = tf_keras.Sequential(
        [
            layers.Input((4, 6)),
            Mine(5),
            layers.TimeDistributed(layers.Dense(5)),
            layers.Bidirectional(layers.SimpleRNN(4)),
            layers.Dense(3, name='head'),
        ]
    )
    assert wrapped_by_tfmot(model, PruningPolicy()) == ['head']


def test_tfmot_is_told_what_models_cannot_be_pruned():
    policy = PruningPolicy()
    with pytest.raises(errors.ModelError, match='not built'):
        policy.ensure_model_supports_pruning(tf_keras.Sequential([layers.Dense(3)]))
    with pytest.raises(errors.ModelError, match='subclassed'):
        built = Subclassed()
        built(np.zeros((1, 6), np.float32))
        policy.ensure_model_supports_pruning(built)
    policy.ensure_model_supports_pruning(nets.dense())


def test_our_own_code_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        policy = PruningPolicy()
        policy.prune(policy.wrap(nets.resnet), verbose=0)
