"""Wrapped models as Keras models: saved, loaded, checkpointed, resumed, stripped."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import layers, tf_keras, tfmot
from lth_keras.pruning import (
    MaskedLayer,
    PruningPolicy,
    assign_mask,
    check_zeros,
    read_mask,
    wrapping,
)
from tests import nets

strip_pruning = tfmot.sparsity.keras.strip_pruning


def recurrent():
    return tf_keras.Sequential(
        [
            layers.Bidirectional(layers.SimpleRNN(4), input_shape=(5, 3)),
            layers.Dropout(0.2),
            layers.Dense(3),
        ]
    )


def precise():
    return tf_keras.Sequential(
        [
            layers.Dense(
                9, input_shape=(6,), dtype=tf_keras.mixed_precision.Policy('mixed_bfloat16')
            ),
            layers.Dense(3, dtype='float32'),
        ]
    )


BUILDERS = [nets.normalised, nets.residual, nets.nested, nets.resnet, recurrent, precise]
each_builder = pytest.mark.parametrize('build', BUILDERS, ids=lambda build: build.__name__)


def masked(build, optimizer=None, trained=True):
    """A wrapped model under a mask of half, trained a little; and inputs for it."""
    model = PruningPolicy().wrap(build)
    nets.compiled(model, optimizer or tf_keras.optimizers.Adam(0.01))
    assign_mask(model, nets.random_mask(model))
    x, y = nets.examples(model.input_shape[1:])
    if trained:
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    return model, x, y


@each_builder
def test_strip_pruning_gives_a_plain_model(build):
    model, x, _ = masked(build, trained=False)
    plain = strip_pruning(model)
    np.testing.assert_array_equal(plain(x), model(x))
    assert not any(isinstance(layer, MaskedLayer) for _, layer in graph.named_layers(plain))
    assert nets.unlike(wrapping.read(model), wrapping.read(plain)) == []


@each_builder
def test_keras_files_need_no_scope(build, tmp_path):
    model, x, y = masked(build)
    model.save(tmp_path / 'model.keras')
    loaded = tf_keras.models.load_model(tmp_path / 'model.keras')
    assert read_mask(loaded) == read_mask(model)
    assert nets.unlike(wrapping.read(model), wrapping.read(loaded)) == []
    np.testing.assert_array_equal(loaded(x), model(x))
    for one in (model, loaded):  # the optimizer came along, and the mask goes on holding
        one.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        check_zeros(one)
    if build is not recurrent:  # its Dropout draws anew
        for path, value in wrapping.read(loaded).items():
            np.testing.assert_allclose(value, wrapping.read(model)[path], atol=1e-5)


@pytest.mark.parametrize('end', ['h5', 'tf'])
def test_older_formats_keep_masks(end, tmp_path):
    model, x, _ = masked(nets.residual)
    model.save(tmp_path / f'model.{end}', save_format=end)
    loaded = tf_keras.models.load_model(tmp_path / f'model.{end}')
    assert read_mask(loaded) == read_mask(model)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_loaded_model_goes_on(tmp_path):
    policy = PruningPolicy(rate=0.5)
    model, x, y = masked(nets.resnet)
    before = read_mask(model)
    model.save(tmp_path / 'model.keras')
    loaded = tf_keras.models.load_model(tmp_path / 'model.keras')
    after = policy.prune(loaded, verbose=0)
    assert after <= before and after.kept < before.kept
    loaded.fit(x, y, verbose=0)
    check_zeros(loaded)


def test_checkpoints_restore_masks(tmp_path):
    model, x, _ = masked(nets.resnet)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(tmp_path / 'at')
    other = nets.compiled(PruningPolicy().wrap(nets.resnet), tf_keras.optimizers.Adam(0.01))
    status = tf.train.Checkpoint(model=other, optimizer=other.optimizer).restore(path)
    status.assert_existing_objects_matched()
    assert read_mask(other) == read_mask(model)
    assert nets.unlike(wrapping.read(model), wrapping.read(other)) == []
    np.testing.assert_array_equal(other(x), model(x))


def test_backup_and_restore_resumes_to_the_same_bits(tmp_path):
    class Killed(Exception):
        pass

    class Kill(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Killed

    start = nets.dense()

    def train(*callbacks):
        model = nets.compiled(PruningPolicy().wrap(start), tf_keras.optimizers.Adam(0.01))
        assign_mask(model, nets.random_mask(model))
        x, y = nets.examples()
        model.fit(x, y, 8, 4, shuffle=False, verbose=0, callbacks=callbacks)
        return model

    whole = train()
    backup = tf_keras.callbacks.BackupAndRestore
    with pytest.raises(Killed):
        train(backup(tmp_path), Kill())
    resumed = train(backup(tmp_path))
    assert resumed.optimizer.iterations == 20
    assert read_mask(resumed) == read_mask(whole)
    assert nets.unlike(wrapping.read(whole), wrapping.read(resumed)) == []


def test_weights_of_the_wrapper_are_those_of_the_layer():
    model, _, _ = masked(nets.dense, trained=False)
    wrapper = model.layers[0]
    assert isinstance(wrapper, MaskedLayer)
    assert [value.shape for value in wrapper.get_weights()] == [(6, 10), (10,)]
    before = read_mask(model)
    wrapper.set_weights([np.ones((6, 10)), np.ones(10)])
    assert read_mask(model) == before


def test_training_flags_reach_the_layer_inside():
    class Told(layers.Dense):
        def call(self, inputs, training=None):
            return super().call(inputs) * (2.0 if training else 1.0)

    class Untold(layers.Dense):
        def call(self, inputs):
            return super().call(inputs)

    for kind in (Told, Untold):
        given = tf_keras.Sequential([layers.Input((6,)), kind(4), layers.Dense(3)])
        model = PruningPolicy().wrap(given)
        x, _ = nets.examples()
        for training in (False, True):
            np.testing.assert_array_equal(model(x, training=training), given(x, training=training))


def test_the_layer_is_put_back_after_an_error():
    model = PruningPolicy().wrap(nets.dense)
    wrapper = model.layers[0]
    with pytest.raises(ValueError):
        wrapper.layer.call = lambda inputs: 1 / 0
        wrapper.layer(np.zeros((2, 7), np.float32))
    with pytest.raises((ZeroDivisionError, ValueError)):
        wrapper(np.zeros((2, 6), np.float32))
    assert isinstance(wrapper.layer.kernel, tf.Variable)


@each_builder
def test_a_rebuilt_model_is_an_independent_equal(build):
    given = build()
    copy = wrapping.rebuilt(given)
    x, _ = nets.examples(given.input_shape[1:])
    np.testing.assert_array_equal(copy(x), given(x))
    assert not {id(v) for v in copy.variables} & {id(v) for v in given.variables}
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in given.layers]
    assert copy.name == given.name
    bare = wrapping.rebuilt(PruningPolicy().wrap(given))
    assert nets.unlike(wrapping.read(given), wrapping.read(bare)) == []
    np.testing.assert_array_equal(bare(x), given(x))


def test_assign_names_what_does_not_fit():
    model = nets.dense()
    values = wrapping.read(model)
    for changed, word in [
        ({k: v for k, v in values.items() if k != 'dense/bias'}, "no value for 'dense/bias'"),
        ({**values, 'dens/bias': values['dense/bias']}, "did you mean 'dense/bias'"),
        ({**values, 'dense/bias': np.ones(9)}, r'expected shape \(10,\), received \(9,\)'),
    ]:
        with pytest.raises(errors.ModelError, match=word):
            wrapping.assign(model, changed)
    assert nets.unlike(values, wrapping.read(model)) == []


def test_moving_statistics_are_read_too():
    assert list(wrapping.read(nets.normalised())) == [
        'dense/kernel',
        'dense/bias',
        'batch_normalization/gamma',
        'batch_normalization/beta',
        'batch_normalization/moving_mean',
        'batch_normalization/moving_variance',
        'dense_1/kernel',
        'dense_1/bias',
    ]
