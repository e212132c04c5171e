"""Exported models: what is served, what is refused, and what is left on disk when it fails."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import architecture, errors, files
from lth_keras._compat import Model, layers, tf_keras
from lth_keras.exporting import export, strip, verify
from lth_keras.pruning import MaskedLayer, PruningPolicy, assign_mask, held_kernels, wrapping
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket
from tests import nets


def two_inputs():
    """The second input sorts before the first by name."""
    a, b = layers.Input((6,), name='wide'), layers.Input((4,), name='side')
    x = layers.Concatenate()([layers.Dense(5, activation='relu')(a), layers.Dense(3)(b)])
    return tf_keras.Model([a, b], layers.Dense(3)(x))


def embedded():
    return tf_keras.Sequential(
        [
            layers.Input((5,), dtype='int32'),
            layers.Embedding(7, 4),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def any_size():
    inputs = layers.Input((None, None, 1))
    x = layers.Conv2D(4, 3, padding='same', activation='relu')(inputs)
    return tf_keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def twelve_outputs():
    inputs = layers.Input((6,))
    x = layers.Dense(8, activation='relu')(inputs)
    return tf_keras.Model(inputs, [layers.Dense(2)(x) for _ in range(12)])


def dict_outputs():
    inputs = layers.Input((6,))
    x = layers.Dense(8, activation='relu')(inputs)
    return tf_keras.Model(inputs, {'second': layers.Dense(2)(x), 'first': layers.Dense(3)(x)})


def mixed():
    return tf_keras.Sequential(
        [
            layers.Dense(16, activation='relu', dtype='mixed_bfloat16', input_shape=(6,)),
            layers.Dense(16, activation='relu', dtype='mixed_bfloat16'),
            layers.Dense(3, dtype='float32'),
        ]
    )


def nested():
    inside = inputs = layers.Input((6,))
    inside = layers.BatchNormalization()(layers.Dense(7, activation='relu')(inside))
    body = tf_keras.Model(inputs, layers.Dropout(0.5)(inside))
    outer = layers.Input((6,))
    return tf_keras.Model(outer, layers.Dense(3)(layers.Dropout(0.5)(body(outer))))


def moved(model, seed=0):
    """The model with every variable away from where it started; pruned weights stay zero."""
    rng = np.random.default_rng(seed)
    masks = {path: mask.numpy() != 0 for path, _, mask in held_kernels(model)}
    values = {}
    for path, value in wrapping.read(model).items():
        value = value + rng.uniform(0.1, 0.3, value.shape).astype(value.dtype)
        values[path] = np.where(masks[path], value, np.float32(0)) if path in masks else value
    wrapping.assign(model, values)
    return model


def pruned(build=nets.dense):
    """A wrapped model of which half the weights are pruned."""
    model = PruningPolicy().wrap(build)
    assign_mask(model, nets.random_mask(model))
    return moved(model)


def ticket(build=nets.normalised):
    """A ticket with three different sets of weights."""
    model = PruningPolicy().wrap(build)
    mask = nets.random_mask(model)
    start, early, final = (wrapping.read(moved(model, seed)) for seed in range(3))
    return Ticket(mask, Snapshot(0, start), {}, architecture.to_json(model), early, final)


def batches(model, size=3):
    rng = np.random.default_rng(5)
    found = []
    for tensor in model.inputs:
        shape = [size, *(n or 7 for n in tensor.shape[1:])]
        whole = not tensor.dtype.is_floating
        values = rng.integers(0, 7, shape) if whole else rng.normal(size=shape)
        found.append(tf.cast(tf.constant(values), tensor.dtype))
    return found


def served(directory, **given):
    """Output name -> value of what plain TensorFlow loads."""
    signature = tf.saved_model.load(str(directory)).signatures['serving_default']
    names = list(signature.structured_input_signature[1])
    if len(names) == 1:
        given = {names[0]: next(iter(given.values()))}
    return {name: value.numpy() for name, value in signature(**given).items()}


def close(one, other, tolerance=1e-5):
    one, other = (np.asarray(tf.cast(value, tf.float32)) for value in (one, other))
    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def one_line(raised):
    text = str(raised.value)
    assert text and '\n' not in text
    return text


# -- what is served


@pytest.mark.parametrize('build', [any_size, embedded, nested, nets.dense, nets.residual])
@pytest.mark.parametrize('wrap', [False, True], ids=['plain', 'wrapped'])
def test_the_signature_gives_the_outputs_of_the_model(build, wrap, tmp_path):
    model = pruned(build) if wrap else moved(build())
    target = tmp_path / 'new' / 'served'
    assert export(model, target) == target
    (x,) = batches(model)
    (found,) = served(target, x=x).values()
    close(found, model(x, training=False))
    verify(target)


def test_lengths_that_are_unknown_stay_unknown(tmp_path):
    model = moved(any_size())
    export(model, tmp_path / 'served')
    for shape in ((1, 4, 9, 1), (5, 11, 3, 1)):
        x = tf.random.stateless_normal(shape, (1, 2))
        (found,) = served(tmp_path / 'served', x=x).values()
        close(found, model(x))


@pytest.mark.parametrize('weights', ['early_stop', 'final', 'start'])
def test_a_ticket_is_served_with_the_weights_that_were_asked_for(weights, tmp_path):
    given = ticket()
    export(given, tmp_path / 'served', weights=weights)
    (x,) = batches(given.model('start'))
    (found,) = served(tmp_path / 'served', x=x).values()
    expected = {which: given.model(which)(x) for which in ('early_stop', 'final', 'start')}
    close(found, expected[weights])
    for which in set(expected) - {weights}:
        assert np.abs(found - expected[which].numpy()).max() > 1e-2


def test_a_ticket_is_served_at_early_stop_unless_said(tmp_path):
    given = ticket()
    export(given, tmp_path / 'served')
    (x,) = batches(given.model('start'))
    (found,) = served(tmp_path / 'served', x=x).values()
    close(found, given.model('early_stop')(x))


def test_two_inputs_are_not_mixed_up(tmp_path):
    model = pruned(two_inputs)
    export(model, tmp_path / 'served')
    wide, side = batches(model)
    (found,) = served(tmp_path / 'served', wide=wide, side=side).values()
    close(found, model([wide, side]))


def test_two_inputs_of_one_shape_are_not_mixed_up(tmp_path):
    a, b = layers.Input((6,)), layers.Input((6,))
    x = layers.Dense(4)(a) - 3 * layers.Dense(4, activation='relu')(b)
    model = pruned(lambda: tf_keras.Model([a, b], layers.Dense(3)(x)))
    samples = batches(model)
    export(model, tmp_path / 'served', samples=samples)
    loaded = tf.saved_model.load(str(tmp_path / 'served'))
    close(loaded.serve(samples), model(samples))


def test_samples_must_be_one_batch_per_input(tmp_path):
    with pytest.raises(errors.ConfigError, match='each of 2 inputs, received 1'):
        export(two_inputs(), tmp_path / 'served', samples=[np.zeros((1, 6))])
    assert not any(tmp_path.iterdir())


def test_twelve_outputs_keep_their_order(tmp_path):
    model = pruned(twelve_outputs)
    export(model, tmp_path / 'served')
    (x,) = batches(model)
    expected = model(x)
    found = served(tmp_path / 'served', x=x)
    assert len(found) == 12
    for name, value in found.items():
        close(value, expected[int(name.rsplit('_', 1)[-1])])


def test_outputs_keep_their_names(tmp_path):
    model = pruned(dict_outputs)
    (x,) = batches(model)
    expected = model(x)
    export(model, tmp_path / 'served')
    found = served(tmp_path / 'served', x=x)
    assert set(found) == set(expected) == {'first', 'second'}
    for name, value in found.items():
        close(value, expected[name])


def test_mixed_precision(tmp_path):
    model = pruned(mixed)
    export(model, tmp_path / 'served')
    (x,) = batches(model)
    (found,) = served(tmp_path / 'served', x=x).values()
    assert np.abs(found).max() > 0.1
    close(found, model(x), tolerance=0.1)


def test_the_file_holds_no_masks_and_plus_zeros(tmp_path):
    model = pruned()
    for _, weight, mask in held_kernels(model):
        weight.assign(np.where(mask.numpy() != 0, weight.numpy(), np.float32(-0.0)))
    export(model, tmp_path / 'served')
    reader = tf.train.load_checkpoint(str(tmp_path / 'served' / 'variables' / 'variables'))
    names = [name for name, shape in reader.get_variable_to_shape_map().items() if len(shape) == 2]
    kernels = [reader.get_tensor(name) for name in names]
    assert sorted(kernel.shape for kernel in kernels) == [(6, 10), (10, 3)]
    for kernel in kernels:
        assert np.count_nonzero(kernel == 0) == kernel.size // 2
        assert not np.signbit(kernel[kernel == 0]).any()


def test_a_format_that_is_unknown_is_named(tmp_path):
    with pytest.raises(errors.ConfigError, match="did you mean 'saved_model'"):
        export(nets.dense(), tmp_path / 'served', format='savedmodel')


def test_a_file_that_gives_other_outputs_is_not_exported(tmp_path, monkeypatch):
    honest = Model.export

    def other(self, *arguments, **options):
        self.layers[-1].bias.assign_add([0.1, 0.0, 0.0])
        honest(self, *arguments, **options)
        self.layers[-1].bias.assign_sub([0.1, 0.0, 0.0])

    monkeypatch.setattr(Model, 'export', other)
    with pytest.raises(errors.StoreError, match='differs by 0.1.*not exported'):
        export(pruned(), tmp_path / 'served')
    assert not any(tmp_path.iterdir())


# -- stripping


def test_stripping_leaves_the_given_model_alone():
    model = pruned(nested)
    before = wrapping.read(model)
    (x,) = batches(model)
    plain = strip(model)
    assert not any(isinstance(layer, MaskedLayer) for layer in plain._flatten_layers())
    assert any(isinstance(layer, MaskedLayer) for layer in model._flatten_layers())
    assert nets.unlike(wrapping.read(plain), before) == []
    close(plain(x), model(x))
    assert not {id(v) for v in plain.variables} & {id(v) for v in model.variables}
    wrapping.assign(plain, {path: value + 1 for path, value in before.items()})
    assert nets.unlike(wrapping.read(model), before) == []
    moved(model, 9)
    assert nets.unlike(wrapping.read(plain), {p: v + 1 for p, v in before.items()}) == []


def test_stripping_a_plain_model_copies_it():
    model = nets.normalised()
    plain = strip(model)
    assert plain is not model
    assert nets.unlike(wrapping.read(plain), wrapping.read(model)) == []


def test_negative_zeros_of_pruned_weights_become_positive():
    model = pruned()
    ((path, weight, mask), *_) = held_kernels(model)
    away = mask.numpy() == 0
    weight.assign(np.where(away, np.float32(-0.0), weight.numpy()))
    assert np.signbit(weight.numpy()[away]).all()
    assert not np.signbit(wrapping.read(strip(model))[path][away]).any()
    assert np.signbit(weight.numpy()[away]).all()  # the given model is as it was


# -- what is refused


def test_a_pruned_weight_that_moved_is_not_exported(tmp_path):
    model = pruned()
    ((_, weight, mask), *_) = held_kernels(model)
    weight.assign(np.where(mask.numpy() == 0, np.float32(1e-30), weight.numpy()))
    with pytest.raises(errors.MaskError, match='dense/kernel: expected 0.0 .* found 30 others'):
        export(model, tmp_path / 'deep' / 'served')
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('make', ['file', 'directory'])
def test_an_existing_target_is_refused_and_kept(make, tmp_path):
    target = tmp_path / 'served'
    if make == 'file':
        target.write_text('mine')
    else:
        target.mkdir()
    with pytest.raises(errors.StoreError, match='remove it or choose another') as raised:
        export(nets.dense(), target)
    assert str(target) in one_line(raised)
    assert [path.name for path in tmp_path.iterdir()] == ['served']
    assert make == 'directory' or target.read_text() == 'mine'


def test_a_file_in_the_place_of_the_parent_is_one_line(tmp_path):
    (tmp_path / 'file').write_text('mine')
    for target in (tmp_path / 'file' / 'served', tmp_path / 'file' / 'deep' / 'served'):
        with pytest.raises(errors.StoreError, match='cannot write') as raised:
            export(nets.dense(), target)
        assert str(target) in one_line(raised)
    assert (tmp_path / 'file').read_text() == 'mine'
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_layer_of_ones_own_is_asked_for(tmp_path):
    class Doubled(layers.Dense):
        """Nobody can import it."""

        def call(self, inputs):
            return 2 * super().call(inputs)

    def build():
        return tf_keras.Sequential([layers.Input((6,)), Doubled(4), layers.Dense(3)])

    given = ticket(build)
    with pytest.raises(errors.ModelError, match='Doubled.*custom_objects'):
        given.model()
    with pytest.raises(errors.ModelError, match='Doubled.*custom_objects'):
        export(given, tmp_path / 'served')
    assert not any(tmp_path.iterdir())
    known = {'Doubled': Doubled}
    export(given, tmp_path / 'served', custom_objects=known)
    model = given.model('early_stop', known)
    (x,) = batches(model)
    (found,) = served(tmp_path / 'served', x=x).values()
    close(found, model(x))


# -- verification


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    return export(pruned(), tmp_path_factory.mktemp('exported') / 'served')


def flip(target):
    path = next(target.glob('variables/*.data*'))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    'a flipped byte': flip,
    'a missing file': lambda target: (target / 'fingerprint.pb').unlink(),
    'an extra file': lambda target: (target / 'assets' / 'extra').write_text(''),
    'another name': lambda target: (target / 'fingerprint.pb').rename(target / 'print.pb'),
    'nothing': lambda target: shutil.rmtree(target),
    'no checksums': lambda target: target.with_name('served.sha256').unlink(),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_damage_is_found(damage, exported, tmp_path):
    target = tmp_path / 'moved' / 'served'
    shutil.copytree(exported.parent, target.parent)
    (target / 'assets').mkdir(exist_ok=True)
    verify(target)
    DAMAGE[damage](target)
    with pytest.raises(errors.StoreError, match='export it again') as raised:
        verify(target)
    assert str(target) in one_line(raised)


# -- interruptions


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError, RuntimeError])
def test_an_interrupted_export_leaves_nothing(error, tmp_path, monkeypatch):
    honest = Model.export

    def stops(self, directory, *arguments, **options):
        honest(self, directory, *arguments, **options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Model, 'export', stops)
        with pytest.raises(errors.StoreError if error is OSError else error):
            export(nets.dense(), tmp_path / 'served')
    assert not any(tmp_path.iterdir())


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(self, directory):
        raise tf.errors.ResourceExhaustedError(None, None, f'{directory}; No space left\nmore')

    monkeypatch.setattr(Model, 'export', full)
    with pytest.raises(errors.StoreError, match='No space left') as raised:
        export(nets.dense(), tmp_path / 'served')
    one_line(raised)
    assert not any(tmp_path.iterdir())


def test_an_export_that_stops_before_the_last_step_can_be_repeated(tmp_path, monkeypatch):
    honest = files.DISK.rename

    def stops(source, target):
        if target == tmp_path / 'served':
            raise KeyboardInterrupt
        honest(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.DISK, 'rename', stops)
        with pytest.raises(KeyboardInterrupt):
            export(nets.dense(), tmp_path / 'served')
    assert not (tmp_path / 'served').exists()
    assert not list(tmp_path.glob(f'{files.TEMPORARY}*'))
    verify(export(nets.dense(), tmp_path / 'served'))
