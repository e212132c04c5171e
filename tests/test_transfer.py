"""Tickets of one data set, trained on another: what moves, what is drawn anew, what is kept."""

import dataclasses
import functools
import re

import numpy as np
import pytest

from lth_keras import data, errors, finding, initial, plan, rounds, transfer
from lth_keras._compat import layers, tf_keras
from lth_keras.data import DATASETS
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.mask import Mask
from lth_keras.progress import Progress
from lth_keras.rewind import Snapshot
from lth_keras.stages import TICKET
from lth_keras.store import Store
from lth_keras.ticket import Ticket
from tests import nets

K, STEPS = 3, 8
TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 1},
    **{'training_steps': STEPS, 'batch_size': 20, 'eval_every': 4, 'engine': 'plain'},
    **{'rewind_step': K, 'export': ('none',)},
}
OUTPUT = ('dense_1/kernel', 'dense_1/bias')


def network(classes=3, inputs=6, hidden=10):
    return tf_keras.Sequential(
        [
            layers.Dense(hidden, activation='relu', input_shape=(inputs,)),
            layers.Dense(classes, bias_initializer='random_normal'),
        ]
    )


def given(name, classes=3, inputs=6, seed=0):
    sizes = enumerate((40, 20, 20), 10 * seed)
    parts = [nets.examples((inputs,), size, classes, number) for number, size in sizes]
    return data.Data(name, *parts, classes)


def pair(classes=3, inputs=6, hidden=10, **options):
    """The laboratory of the target, and as its source one with other data."""
    options = TINY | {'transfer_from': 'digits'} | options
    build = functools.partial(network, classes, inputs, hidden)
    lab = Laboratory(Experiment(**options), build, given('there', classes, inputs, 1))
    source = options | {'transfer_from': 'none', 'controls': (), 'control_rounds': ()}
    lab.source = Laboratory(Experiment(**source), network, given('here'))
    return lab


def search(lab, workdir, progress=None):
    return list(rounds.search(lab, Store(workdir), progress or Progress(0, quiet=True)))


@pytest.fixture(scope='module')
def moved(tmp_path_factory):
    """A search with a transfer over two replicates, and that of the source alone, one store."""
    workdir = tmp_path_factory.mktemp('work')
    lab = pair(replicates=2)
    found = search(lab, workdir)
    progress = Progress(0, quiet=True)
    return lab, found, search(lab.source, workdir, progress), progress


def tickets(found):
    return {(r.replicate, r.round): r.ticket for r in found if r.variant == TICKET}


# -- a whole search


def test_dense_and_a_ticket_per_round_with_controls_on_the_target(moved):
    lab, found, _, _ = moved
    one = [(0, 'ticket'), (1, 'ticket'), (1, 'reinit'), (2, 'ticket'), (2, 'reinit')]
    expected = [(replicate, *rest) for replicate in (0, 1) for rest in one]
    assert [(r.replicate, r.round, r.variant) for r in found] == expected
    dense = found[0].ticket
    assert dense.mask == lab.dense
    assert nets.unlike(dict(dense.final), dict(retrained(lab, found[0]))) == []


def retrained(lab, result, seed=0):
    """The final weights of that ticket, trained on the data of `lab` outside of any search."""
    t, steps = result.ticket, lab.experiment.training_steps
    begin = t.snapshot.step if result.round else 0
    start = t.start() if result.round else lab.initial(seed)
    return lab.trainer.train(start, t.mask, seed, steps, begin, 4).final_weights


def test_a_moved_ticket_is_trained_on_the_target_from_the_rewind_step(moved):
    lab, found, _, _ = moved
    for result in found[1:3]:
        assert result.ticket.snapshot.step == K
        assert nets.unlike(dict(result.ticket.final), dict(retrained(lab, result))) == []


def test_mask_and_weights_are_those_of_the_source(moved):
    _, found, there, _ = moved
    target, source = tickets(found), tickets(there)
    assert target.keys() == source.keys() and len(target) == 6
    for place, ticket in target.items():
        if not place[1]:
            continue
        assert ticket.mask == source[place].mask
        assert ticket.mask.kept < ticket.mask.size
        before, after = source[place].snapshot.weights, ticket.snapshot.weights
        assert set(nets.unlike(dict(before), dict(after))) == set(OUTPUT)
        assert not np.any(before[OUTPUT[0]] == after[OUTPUT[0]])


def test_output_layers_are_drawn_per_round_and_replicate(moved):
    _, found, _, _ = moved
    drawn = [t.snapshot.weights for (_, number), t in tickets(found).items() if number]
    for path in OUTPUT:
        values = [nets.bits(weights[path]) for weights in drawn]
        assert len(set(values)) == len(drawn) == 4


def test_the_draw_is_that_of_the_layers_own_initialiser():
    lab = pair(hidden=400)
    source = lab.source = Laboratory(
        dataclasses.replace(lab.source.experiment),
        functools.partial(network, hidden=400),
        lab.source.data,
    )
    ticket = whole(source)
    made = transfer.moved(ticket, lab, 0, 1).snapshot.weights[OUTPUT[0]]
    expected = lab.initial(5)[OUTPUT[0]]
    assert np.abs(made).max() <= (6 / (400 + 3)) ** 0.5  # glorot uniform
    assert made.std() == pytest.approx(expected.std(), rel=0.1)


def test_the_source_search_is_the_ordinary_one(moved):
    _, _, there, progress = moved
    assert len(there) == 6 and not progress.seconds  # nothing of it was trained again


def test_the_source_of_a_search_after_an_ordinary_one_is_kept(tmp_path):
    lab = pair(controls=())
    search(lab.source, tmp_path)
    progress = Progress(0, quiet=True)
    search(lab, tmp_path, progress)
    assert sorted(progress.seconds) == [f'replicate 0 round {r} ticket' for r in (0, 1, 2)]


def test_a_search_repeats(moved, tmp_path):
    _, found, _, _ = moved
    again = search(pair(replicates=2), tmp_path)
    assert [r.row for r in again] == [r.row for r in found]


def test_controls_are_those_of_the_moved_ticket(moved):
    _, found, _, _ = moved
    here = tickets(found)
    for result in found:
        if result.variant == 'reinit':
            ticket = here[result.replicate, result.round]
            assert result.ticket.mask == ticket.mask
            assert not np.any(
                result.ticket.snapshot.weights['dense/kernel']
                == ticket.snapshot.weights['dense/kernel']
            )


def test_where_a_moved_ticket_comes_from_is_recorded(moved):
    lab, found, _, _ = moved
    for result in found[1:5]:
        provenance = result.ticket.provenance
        assert provenance['fingerprint'] == lab.fingerprint
        assert provenance['digests']['data'] == lab.data.digest
        if result.variant == 'ticket':
            assert provenance['found']['fingerprint'] == lab.source.fingerprint
            assert provenance['found']['digests']['data'] == lab.source.data.digest
    assert 'found' not in found[0].ticket.provenance


@pytest.mark.parametrize('procedure', ['one_shot', 'continued'])
def test_other_procedures_move_their_tickets(procedure, tmp_path):
    lab = pair(procedure=procedure, controls=())
    found, there = search(lab, tmp_path), search(lab.source, tmp_path)
    assert [(r.round, r.variant) for r in found] == [(n, TICKET) for n in (0, 1, 2)]
    for place, ticket in tickets(there).items():
        assert tickets(found)[place].mask == ticket.mask


# -- another number of classes


@pytest.mark.parametrize('classes', [2, 7])
def test_the_output_mask_has_equal_density(classes, tmp_path):
    lab = pair(classes)
    found, there = search(lab, tmp_path), tickets(search(lab.source, tmp_path))
    for place, ticket in tickets(found).items():
        if place[1]:
            kept = there[place].mask.survivors[OUTPUT[0]]
            assert ticket.mask.survivors[OUTPUT[0]] == round(kept / 30 * 10 * classes)
            assert ticket.mask.shapes[OUTPUT[0]] == (10, classes)
            assert np.array_equal(ticket.mask['dense/kernel'], there[place].mask['dense/kernel'])
            for path in ('dense/kernel', 'dense/bias'):
                weights = ticket.snapshot.weights[path], there[place].snapshot.weights[path]
                assert nets.bits(weights[0]) == nets.bits(weights[1])
            row = next(r.row for r in found if (r.replicate, r.round) == place)
            assert row['density'] == ticket.mask.kept / (60 + 10 * classes)


def whole(lab, kept=None):
    """A ticket of the laboratory's network as it starts; `kept` weights of the output kernel."""
    mask = dict(lab.dense)
    if kept is not None:
        shape = mask[OUTPUT[0]].shape
        mask[OUTPUT[0]] = (np.arange(np.prod(shape)) < kept).reshape(shape)
    return Ticket(Mask(mask), Snapshot(K, lab.initial(0)), {}, lab.architecture)


def test_at_least_one_weight_of_the_output_mask_stays():
    lab = pair(2)
    for kept in (0, 1):
        made = transfer.moved(whole(lab.source, kept), lab, 0, 1)
        assert made.mask.survivors[OUTPUT[0]] == 1


def test_an_output_mask_is_drawn_per_round_and_seed_and_again():
    lab = pair(7)
    ticket = whole(lab.source, 12)
    masks = [transfer.moved(ticket, lab, *key).mask for key in ((0, 1), (0, 2), (1, 1), (0, 1))]
    drawn = [nets.bits(mask[OUTPUT[0]]) for mask in masks]
    assert len(set(drawn)) == 3 and drawn[0] == drawn[3]


def test_an_output_kernel_that_is_not_pruned_is_drawn_all_the_same(tmp_path):
    lab = pair(7, exclude=(OUTPUT[0],))
    found = search(lab, tmp_path)
    for ticket in tickets(found).values():
        assert list(ticket.mask) == ['dense/kernel']
        assert ticket.snapshot.weights[OUTPUT[0]].shape == (10, 7)


def test_the_global_numbers_of_python_and_numpy_are_left_alone():
    lab = pair(7)
    ticket = whole(lab.source, 12)
    before = np.random.get_state()[1].copy()
    transfer.moved(ticket, lab, 0, 1)
    assert np.array_equal(np.random.get_state()[1], before)


def test_the_ticket_given_is_not_changed():
    lab = pair(7)
    ticket = whole(lab.source, 12)
    before = lab.source.initial(0)
    transfer.moved(ticket, lab, 0, 1)
    assert nets.unlike(dict(ticket.snapshot.weights), before) == []
    assert ticket.mask.survivors[OUTPUT[0]] == 12


def test_biases_that_start_at_zero_do_so_again():
    one = Laboratory(Experiment(**TINY), nets.dense, given('here'))
    other = Laboratory(Experiment(**TINY), nets.dense, given('there', seed=1))
    weights = {path: value + 1 for path, value in one.initial(0).items()}
    ticket = Ticket(one.dense, Snapshot(K, weights), {}, one.architecture)
    made = transfer.moved(ticket, other, 0, 1).snapshot.weights
    assert not made['dense_1/bias'].any()
    assert np.all(made['dense/bias'] == 1)


def test_variables_of_layers_whose_names_begin_alike_stay():
    def build():
        return tf_keras.Sequential(
            [
                layers.Dense(10, activation='relu', input_shape=(6,), name='out_hidden'),
                layers.Dense(3, name='out'),
            ]
        )

    lab = Laboratory(Experiment(**TINY), build, given('there'))
    ticket = Ticket(lab.dense, Snapshot(K, lab.initial(0)), {}, lab.architecture)
    made = transfer.moved(ticket, lab, 0, 1).snapshot.weights
    assert nets.unlike(dict(ticket.snapshot.weights), dict(made)) == ['out/kernel']


def test_moving_statistics_move_too():
    lab = Laboratory(Experiment(**TINY), nets.normalised, given('there'))
    weights = {path: value + 2 for path, value in lab.initial(0).items()}
    ticket = Ticket(lab.dense, Snapshot(K, weights), {}, lab.architecture)
    made = transfer.moved(ticket, lab, 0, 1).snapshot.weights
    assert lab.statistics
    for path in lab.statistics:
        assert nets.bits(made[path]) == nets.bits(weights[path])
    assert list(made) == list(initial.initial_weights(lab.build_model, 0))


# -- networks that are too unlike


def test_a_hidden_kernel_of_another_shape_is_named(tmp_path):
    lab = pair(inputs=5)
    text = (
        "expected 'dense/kernel' of shape 6x10 as in the ticket, received a network for there "
        'with 5x10; only output layers may differ'
    )
    with pytest.raises(errors.MaskError, match=text):
        transfer.moved(whole(lab.source), lab, 0, 1)
    with pytest.raises(errors.MaskError, match="'dense/kernel' of shape 6x10"):
        search(lab, tmp_path)


def test_a_layer_that_is_not_there_is_named():
    lab = pair()
    source = Laboratory(Experiment(**TINY), nets.normalised, given('here'))
    ticket = Ticket(source.dense, Snapshot(K, source.initial(0)), {}, source.architecture)
    with pytest.raises(errors.MaskError, match=r"expected 'batch_normalization/\w+' of shape 10"):
        transfer.moved(ticket, lab, 0, 1)


def test_the_variable_that_is_named_is_the_first_of_the_network(monkeypatch):
    """Kernel and bias do not fit; under this seed the set of both begins with the bias."""
    code = (
        'from tests import nets, test_transfer as t\n'
        'from lth_keras import errors, transfer\n'
        'lab = t.pair(hidden=12)\n'
        'try:\n'
        '    transfer.moved(t.whole(lab.source), lab, 0, 1)\n'
        'except errors.MaskError as e:\n'
        '    print(e)\n'
    )
    monkeypatch.setenv('PYTHONHASHSEED', '3')
    assert "'dense/kernel'" in nets.in_another_process(code)


# -- by name, and the plan


def other_digits(invert, count=60):
    """A function for the registry: few digits, enlarged, perhaps white for black."""

    def few():
        source = data.DATASETS['digits_28']()
        parts = [(x[:count], y[:count]) for x, y in (source.train, source.test)]
        parts = [(1 - x if invert else x, y) for x, y in parts]
        return dataclasses.replace(source, train=parts[0], test=parts[1], validation=20)

    return few


NAMED = {
    **{'model': 'mlp', 'hidden': (6,), 'dataset': 'digits_28', 'rounds': 2, 'replicates': 1},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'plain'},
    **{'transfer_from': 'mnist', 'export': ('2',)},
}


@pytest.fixture
def named(monkeypatch):
    """mnist as few digits in black on white."""
    monkeypatch.setitem(DATASETS._entries, 'mnist', other_digits(invert=True))
    return {**NAMED, 'train_examples': 40, 'validation_examples': 20, 'test_examples': 30}


def test_by_name(named, tmp_path):
    found = finding.find(Experiment(**named, workdir=str(tmp_path)), quiet=True)
    rows = [(row['round'], row['variant']) for row in found.rows]
    assert rows == [(0, 'ticket'), *((r, v) for r in (1, 2) for v in ('ticket', 'reinit'))]
    ticket = found.ticket(2)
    assert 'found' in ticket.provenance
    model = ticket.model()
    x, _ = data.load('digits_28').test
    assert model.predict(x[:3], verbose=0).shape == (3, 10)
    # The ordinary search on the other data is all there.
    source = Experiment(
        **named | {'dataset': 'mnist', 'transfer_from': 'none', 'controls': ()},
        workdir=str(tmp_path),
    )
    text = plan.describe(source)
    assert 'already there: 3 of 3 trainings' in text and 'nothing but the report' in text
    again = plan.describe(Experiment(**named, workdir=str(tmp_path)))
    assert 'already there: 5 of 5 trainings' in again
    assert '3 trainings there, already there: 3' in again


def test_a_transfer_is_a_run_of_its_own(named):
    one = Experiment(**named)
    other = dataclasses.replace(one, transfer_from='none')
    assert one.fingerprint() != other.fingerprint()


def test_unlike_data_sets_are_a_clear_error(tmp_path):
    experiment = Experiment(
        **NAMED | {'transfer_from': 'digits', 'rounds': 1, 'controls': (), 'export': ()},
        workdir=str(tmp_path),
    )
    with pytest.raises(errors.MaskError, match="'dense/kernel' of shape 64x6 .* with 784x6"):
        finding.find(experiment, quiet=True)


def test_unlike_data_sets_are_an_error_before_anything_is_trained(tmp_path):
    experiment = Experiment(
        **NAMED | {'transfer_from': 'digits', 'rounds': 1, 'controls': (), 'export': ()},
        workdir=str(tmp_path),
    )
    with pytest.raises(errors.LotteryError, match='dense/kernel'):
        finding.find(experiment, quiet=True)
    assert not list(tmp_path.glob('stages/train-*'))


def test_the_dry_run_refuses_what_the_search_would(tmp_path):
    experiment = Experiment(**NAMED | {'transfer_from': 'digits'}, workdir=str(tmp_path))
    with pytest.raises(errors.LotteryError, match='dense/kernel'):
        plan.describe(experiment)


@pytest.mark.parametrize('procedure', ['resetting', 'continued'])
def test_the_plan_counts_both_searches(procedure, tmp_path):
    lab = pair(workdir=str(tmp_path), replicates=2, procedure=procedure)
    there = 2 * (3 if procedure == 'resetting' else 5)
    assert len(plan.trainings(lab)) == 2 * 5
    assert len(plan.trainings(lab.source)) == there
    late = STEPS - K
    assert plan.steps(lab) == 2 * (2 * STEPS + 4 * late) + (there - 2) * late
    text = plan.describe(lab.experiment, lab)
    assert 'tickets from here: 40 / 20 / 20' in text
    assert f'{there} trainings there, already there: 0' in text
    assert 'already there: 0 of 10 trainings' in text


def test_what_is_to_do_counts_both_searches(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, 'probe', lambda lab: 0.5)
    lab = pair(workdir=str(tmp_path), controls=())
    assert f'to do: {plan.steps(lab)} steps' in plan.describe(lab.experiment, lab)


def test_trainings_of_both_searches_are_told_apart(tmp_path):
    progress = Progress(0, quiet=True)
    search(pair(controls=()), tmp_path, progress)
    assert len(progress.seconds) == 6


def test_a_target_density_could_mean_other_rounds_on_the_source():
    with pytest.raises(errors.ConfigError, match='target_density: expected --rounds beside'):
        Experiment(transfer_from='digits', dataset='digits_28', target_density=0.5)


def test_weights_that_are_not_rewound_cannot_be_moved():
    with pytest.raises(errors.ConfigError, match='transfer_from: .*rewinds weights'):
        Experiment(transfer_from='digits', dataset='digits_28', rewound=('schedule', 'order'))


def test_epochs_are_those_of_each_data_set(monkeypatch):
    """So that the stages of `--dataset=mnist --training_steps=2ep` are found again."""
    monkeypatch.setitem(DATASETS._entries, 'mnist', other_digits(invert=True, count=120))
    monkeypatch.setitem(DATASETS._entries, 'fashion_mnist', other_digits(invert=False))
    options = NAMED | {'dataset': 'fashion_mnist', 'training_steps': '2ep'}
    source = Laboratory(Experiment(**options)).source
    alone = Laboratory(Experiment(**options | {'dataset': 'mnist', 'transfer_from': 'none'}))
    assert source.experiment.training_steps == alone.experiment.training_steps


def test_a_model_of_ones_own_is_that_of_the_source_too(monkeypatch, tmp_path):
    monkeypatch.setitem(DATASETS._entries, 'mnist', other_digits(invert=True))
    few = other_digits(invert=False)()

    def build():
        return tf_keras.Sequential(
            [
                layers.Flatten(input_shape=(28, 28, 1)),
                layers.Dense(5, activation='relu'),
                layers.Dense(10),
            ]
        )

    kept = ('rounds', 'replicates', 'training_steps', 'batch_size', 'eval_every', 'engine')
    try:
        found = finding.find_tickets(
            build,
            few.train,
            few.test,
            quiet=True,
            transfer_from='mnist',
            workdir=str(tmp_path),
            export=(),
            report=False,
            **{name: NAMED[name] for name in kept},
        )
    except errors.ConfigError as e:
        assert re.search('transfer_from', str(e)), e
    else:
        assert len(found.rows) == 5


@pytest.mark.parametrize(
    ('settings', 'text'),
    [
        ({'transfer_from': 'digits'}, 'expected another data set than --dataset, received digits'),
        ({'transfer_from': 'mnsit'}, "transfer_from: unknown value 'mnsit'"),
        *(
            ({'transfer_from': 'digits_28', 'procedure': name}, 'a procedure that rewinds weights')
            for name in ('fine_tune', 'lr_rewind')
        ),
    ],
)
def test_transfers_that_make_no_sense(settings, text):
    with pytest.raises(errors.ConfigError, match=text):
        Experiment(**settings)
