"""Tickets: saved, loaded, applied, made into models, and refused when they are damaged."""

import numpy as np
import pytest

from lth_keras import architecture, errors
from lth_keras._compat import layers, tf_keras
from lth_keras.mask import Mask
from lth_keras.pruning import MaskedLayer, PruningPolicy, held_kernels, read_mask, wrapping
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket
from tests import nets


def make(build=nets.resnet, trained=True, seed=0):
    model = build()
    mask = nets.random_mask(PruningPolicy().wrap(model), seed=seed)
    values = wrapping.read(model)
    later = {path: value + 1 for path, value in values.items()} if trained else None
    last = {path: value - 1 for path, value in values.items()} if trained else None
    provenance = {'round': 2, 'seed': 7, 'metrics': {'test_accuracy': 0.5}}
    return Ticket(mask, Snapshot(4, values), provenance, architecture.to_json(model), later, last)


def equal(one, other):
    assert one.mask == other.mask and list(one.mask) == list(other.mask)
    assert one.snapshot.step == other.snapshot.step
    assert nets.unlike(dict(one.snapshot.weights), dict(other.snapshot.weights)) == []
    assert one.provenance == other.provenance and one.architecture == other.architecture
    for name in ('early_stop', 'final'):
        values = getattr(one, name), getattr(other, name)
        if values[0] is None:
            assert values[1] is None
        else:
            assert nets.unlike(*map(dict, values)) == []


@pytest.mark.parametrize('trained', [False, True])
@pytest.mark.parametrize('build', [nets.dense, nets.nested, nets.resnet], ids=lambda b: b.__name__)
def test_saved_tickets_come_back(build, trained, tmp_path):
    ticket = make(build, trained)
    ticket.save(tmp_path / 'a' / 'ticket')
    loaded = Ticket.load(str(tmp_path / 'a' / 'ticket'))
    equal(ticket, loaded)
    assert loaded.trained == trained and loaded.density == ticket.density
    assert nets.unlike(ticket.start(), loaded.start()) == []


def test_equal_tickets_are_equal_files(tmp_path):
    ticket = make()
    ticket.save(tmp_path / 'one')
    Ticket.load(tmp_path / 'one').save(tmp_path / 'two')
    for path in (tmp_path / 'one').iterdir():
        assert path.read_bytes() == (tmp_path / 'two' / path.name).read_bytes()


def test_a_ticket_is_never_written_over(tmp_path):
    ticket = make()
    ticket.save(tmp_path / 'ticket')
    with pytest.raises(errors.StoreError, match='existing'):
        make(seed=1).save(tmp_path / 'ticket')
    equal(ticket, Ticket.load(tmp_path / 'ticket'))


def test_every_changed_byte_is_detected(tmp_path):
    make().save(tmp_path / 'ticket')
    names = sorted(path.name for path in (tmp_path / 'ticket').iterdir())
    assert 'model.json' in names and len(names) == 6
    for name in names:
        path = tmp_path / 'ticket' / name
        data = path.read_bytes()
        for place in (0, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(errors.StoreError, match=name.replace('.', r'\.')):
                Ticket.load(tmp_path / 'ticket')
        path.unlink()
        with pytest.raises(errors.StoreError, match=name.replace('.', r'\.')):
            Ticket.load(tmp_path / 'ticket')
        path.write_bytes(data)
    assert Ticket.load(tmp_path / 'ticket').trained


def test_what_is_no_ticket_is_refused(tmp_path):
    with pytest.raises(errors.StoreError):
        Ticket.load(tmp_path)
    with pytest.raises(errors.StoreError):
        Ticket.load(tmp_path / 'nothing')


# -- weights


def test_the_start_is_mask_times_snapshot():
    ticket = make()
    start = ticket.start()
    for path, value in ticket.snapshot.weights.items():
        if path in ticket.mask:
            kept = ticket.mask[path]
            np.testing.assert_array_equal(start[path][kept], value[kept])
            assert nets.bits(start[path][~kept]) == nets.bits(np.zeros_like(value[~kept]))
        else:
            np.testing.assert_array_equal(start[path], value)


def test_weights_are_the_asked_ones_and_pruned():
    ticket = make()
    for which, shift in [('start', 0), ('early_stop', 1), ('final', -1)]:
        values = ticket.weights(which)
        for path, kept in ticket.mask.items():
            expected = np.where(kept, ticket.snapshot.weights[path] + shift, np.float32(0))
            assert nets.bits(values[path]) == nets.bits(expected)
    assert nets.unlike(ticket.weights(), ticket.weights('early_stop')) == []


def test_weights_that_are_not_there_are_refused():
    with pytest.raises(errors.ConfigError, match="did you mean 'early_stop'"):
        make().weights('early_stp')
    for which in ('early_stop', 'final'):
        with pytest.raises(errors.ConfigError, match=f"trained ticket for its '{which}'"):
            make(trained=False).weights(which)
    assert make(trained=False).weights('start')


# -- models


@pytest.mark.parametrize(
    'build', [nets.normalised, nets.nested, nets.resnet], ids=lambda b: b.__name__
)
def test_a_ticket_makes_a_model_without_its_builder(build):
    ticket = make(build)
    for which in ('start', 'early_stop', 'final'):
        model = ticket.model(which)
        assert not list(held_kernels(model))
        assert nets.unlike(ticket.weights(which), wrapping.read(model)) == []
    reference = build()
    wrapping.assign(reference, ticket.weights('final'))
    x, _ = nets.examples(reference.input_shape[1:])
    np.testing.assert_array_equal(ticket.model('final')(x), reference(x))


@pytest.mark.parametrize(
    'build', [nets.normalised, nets.nested, nets.resnet, nets.residual], ids=lambda b: b.__name__
)
def test_an_applied_ticket_starts_as_it_should_and_holds(build):
    ticket, given = make(build), build()
    before = wrapping.read(given)
    for one in (given, build):
        model = ticket.apply(one)
        assert read_mask(model) == ticket.mask
        assert nets.unlike(ticket.start(), wrapping.read(model)) == []
    assert nets.unlike(before, wrapping.read(given)) == []
    nets.compiled(model, tf_keras.optimizers.Adam(0.01))
    model.fit(*nets.examples(model.input_shape[1:]), verbose=0)
    for path, weight, _ in held_kernels(model):
        assert not np.count_nonzero(weight.numpy()[~ticket.mask[path]])


def test_applying_to_a_wrapped_model_takes_the_ticket_s_mask():
    ticket = make(nets.dense)
    wrapped = PruningPolicy(include=['dense/*']).wrap(nets.dense)
    model = ticket.apply(wrapped)
    assert read_mask(model) == ticket.mask
    assert len([layer for layer in model.layers if isinstance(layer, MaskedLayer)]) == 2


def test_a_ticket_of_some_kernels_leaves_the_others_free():
    build = nets.dense
    model = build()
    mask = Mask({'dense/kernel': np.arange(60).reshape(6, 10) % 2 == 0})
    ticket = Ticket(mask, Snapshot(0, wrapping.read(model)), {}, architecture.to_json(model))
    assert [path for path, _, _ in held_kernels(ticket.apply(build))] == ['dense/kernel']


def other_classes():
    return nets.resnet(classes=4)


def other_names():
    return tf_keras.Sequential([layers.Dense(10, input_shape=(6,), name='first'), layers.Dense(3)])


@pytest.mark.parametrize(
    ('ticket_of', 'build', 'word'),
    [
        (nets.resnet, other_classes, 'head/kernel'),
        (nets.dense, lambda: nets.dense(11), r'dense/kernel.*expected shape \(6, 11\)'),
        (nets.dense, other_names, 'dense_1/kernel'),
        (nets.normalised, nets.dense, 'batch_normalization'),
        (nets.dense, nets.normalised, 'batch_normalization'),
        (nets.dense, lambda: nets.dense(use_bias=False), 'bias'),
    ],
)
def test_a_model_that_does_not_fit_is_refused(ticket_of, build, word):
    with pytest.raises((errors.MaskError, errors.ModelError), match=word):
        make(ticket_of).apply(build)


def test_inspect_is_a_table_of_exact_numbers():
    ticket = make(nets.dense)
    lines = ticket.inspect().splitlines()
    assert lines[0] == 'trained ticket, rewinds to step 4'
    rows = [line.split() for line in lines[1:]]
    assert rows == [
        ['kernel', 'kept', 'size', 'density'],
        ['dense/kernel', '30', '60', '0.5000'],
        ['dense_1/kernel', '15', '30', '0.5000'],
        ['all', '45', '90', '0.5000'],
    ]
    assert make(nets.dense, trained=False).inspect().startswith('ticket, rewinds')
