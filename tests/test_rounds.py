"""The loop over rounds: what is pruned, where each training starts, what is kept."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import criteria, errors, keys, rounds, stages
from lth_keras._compat import layers, tf_keras
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.pruning import wrapping
from lth_keras.store import Store, stage_key
from tests import nets

K = 3
TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 3, 'replicates': 1},
    **{'training_steps': 9, 'batch_size': 20, 'eval_every': 4, 'engine': 'plain'},
}


def laboratory(build=nets.dense, **options):
    return Laboratory(Experiment(**TINY | options), build, nets.data())


def search(lab, workdir, progress=None):
    return list(rounds.search(lab, Store(workdir), progress or Progress(0, quiet=True)))


def key(lab, seed=None):
    """The name of the stage of a replicate's dense training."""
    seed = lab.experiment.seed if seed is None else seed
    snapshot_at = lab.experiment.rewind_step or None
    inputs = keys.training_inputs(lab, lab.initial(seed), lab.dense, seed, 0, snapshot_at)
    return stage_key(stages.TRAIN, inputs)


def by_hand(mask, final, plan):
    """The mask after removing the smallest survivors of each pool, ties by position."""
    kept = {path: np.array(mask[path]) for path in mask}
    for pool in plan.pools:
        flat = [
            (abs(float(final[path].flat[i])), place, i, path)
            for place, path in enumerate(pool.paths)
            for i in np.flatnonzero(mask[path])
        ]
        for _, _, i, path in sorted(flat)[: pool.count]:
            kept[path].flat[i] = False
    return kept


class Watched:
    """A search, and the state of the model and the arguments at the start of each training."""

    def __init__(self, workdir, **options):
        self.lab = laboratory(nets.normalised, **options)
        self.starts, self.calls = [], []
        trainer = self.lab.trainer
        reset, train = trainer.reset, trainer.train

        def watched_reset(start, mask):
            reset(start, mask)
            self.starts.append(wrapping.read(trainer.model))

        def watched_train(start, mask, seed, stop, begin=0, *rest, **more):
            trained = train(start, mask, seed, stop, begin, *rest, **more)
            self.calls.append((begin, self.starts[-1], trained))
            return trained

        trainer.reset, trainer.train = watched_reset, watched_train
        self.found = search(self.lab, workdir)
        self.tickets = [r for r in self.found if r.variant == 'ticket']
        self.controls = [r for r in self.found if r.variant != 'ticket']


@pytest.fixture(scope='module', params=[0, K], ids=['k0', 'late'])
def watched(request, tmp_path_factory):
    """Three rounds with controls, rewound to step 0 and to a later one."""
    return Watched(tmp_path_factory.mktemp('work'), rewind_step=request.param)


# -- rows


def test_rounds_come_in_order(watched):
    order = [(0, 'ticket')]
    for number in (1, 2, 3):
        order += [(number, 'ticket'), (number, 'reinit')]
    assert [(r.round, r.variant) for r in watched.found] == order
    assert [(r.row['round'], r.row['variant']) for r in watched.found] == order


def test_densities_are_those_of_the_plan(watched):
    lab = watched.lab
    plans = {plan.round: plan for plan in lab.plans}
    for result in watched.found:
        row, mask = result.row, result.ticket.mask
        if result.round:
            assert row['density'] == plans[result.round].density
            assert mask.kept == plans[result.round].kept
        else:
            assert row['density'] == 1.0
        layer = {path: {'kept': mask.survivors[path], 'size': mask.sizes[path]} for path in mask}
        assert row['layers'] == layer
        parameters = 60 + 10 + 4 * 10 + 30 + 3  # kernel, bias, normalisation, kernel, bias
        assert row['model_density'] == (parameters - mask.size + mask.kept) / parameters


def test_rows_name_stages_that_are_all_there(watched):
    stages = [r.stage for r in watched.found]
    assert len(set(stages)) == len(stages) == len(watched.calls)
    assert all(r.row['stage'] == r.stage and r.stage.startswith('train-') for r in watched.found)
    for result, (_, _, trained) in zip(watched.found, watched.calls, strict=True):
        assert result.row['early_stop_step'] == trained.early_stop_step
        assert result.row['test_accuracy'] == trained.early_stop['test_accuracy']
        assert result.row['final_test_loss'] == trained.final['test_loss']
        assert nets.unlike(dict(result.ticket.final), trained.final_weights) == []
        assert nets.unlike(dict(result.ticket.early_stop), trained.early_weights) == []
        assert result.ticket.provenance['result'] == result.row


# -- masks


def test_masks_are_monotone(watched):
    masks = [r.ticket.mask for r in watched.tickets]
    assert len(masks) == 4 and masks[0].density == 1
    for before, after in zip(masks, masks[1:], strict=False):
        assert after <= before and after != before


def test_the_smallest_final_weights_of_the_round_before_go(watched):
    for source, result, plan in zip(
        watched.tickets, watched.tickets[1:], watched.lab.plans, strict=False
    ):
        expected = by_hand(source.ticket.mask, source.ticket.final, plan)
        assert plan.source == source.round
        for path, kept in expected.items():
            assert np.array_equal(result.ticket.mask[path], kept)


# -- where trainings start


def test_every_round_starts_at_mask_times_snapshot(watched):
    lab, k = watched.lab, watched.lab.experiment.rewind_step
    snapshot = watched.tickets[0].ticket.snapshot
    assert snapshot.step == k
    paths = set(snapshot.weights)
    assert {'batch_normalization/moving_mean', 'batch_normalization/gamma'} <= paths
    begin, start, _ = watched.calls[0]
    assert begin == 0 and nets.unlike(start, lab.initial(0)) == []
    for result, (begin, start, _) in zip(watched.found[1:], watched.calls[1:], strict=True):
        assert begin == result.ticket.snapshot.step == k
        expected = dict(result.ticket.snapshot.weights)
        for path, kept in result.ticket.mask.items():
            expected[path] = np.where(kept, expected[path], np.float32(0))
        assert nets.unlike(start, expected) == []
        assert nets.unlike(result.ticket.start(), expected) == []
        if result.variant == 'ticket':
            weights = result.ticket.snapshot.weights
            assert nets.unlike(dict(weights), dict(snapshot.weights)) == []


def test_the_snapshot_is_the_state_after_k_steps(watched):
    lab, k = watched.lab, watched.lab.experiment.rewind_step
    snapshot = dict(watched.tickets[0].ticket.snapshot.weights)
    statistics = snapshot['batch_normalization/moving_mean']
    if k == 0:
        assert nets.unlike(snapshot, lab.initial(0)) == []
        assert not statistics.any()
    else:
        short = laboratory(nets.normalised).trainer.train(lab.initial(0), lab.dense, 0, k)
        assert nets.unlike(snapshot, short.final_weights) == []
        assert statistics.all()


def test_a_control_has_the_mask_and_other_weights(watched):
    tickets = {r.round: r.ticket for r in watched.tickets}
    assert [r.round for r in watched.controls] == [1, 2, 3]
    for result in watched.controls:
        ticket, control = tickets[result.round], result.ticket
        assert control.mask == ticket.mask
        for path, kept in control.mask.items():
            one, other = control.start()[path][kept], ticket.start()[path][kept]
            assert not np.any(one == other)
        assert result.stage != next(r.stage for r in watched.tickets if r.round == result.round)
    first, second, _ = (r.ticket.snapshot.weights['dense/kernel'] for r in watched.controls)
    assert not np.any(first == second)  # each round has draws of its own


def test_only_the_rounds_that_were_asked_for_have_controls(tmp_path):
    found = search(laboratory(control_rounds=(2,)), tmp_path)
    assert [(r.round, r.variant) for r in found] == [
        *((0, 'ticket'), (1, 'ticket'), (2, 'ticket'), (2, 'reinit'), (3, 'ticket'))
    ]


# -- other ways to prune


def test_one_shot_prunes_the_dense_network_each_time(tmp_path):
    lab = laboratory(procedure='one_shot', controls=(), rewind_step=K)
    dense, *others = search(lab, tmp_path)
    iterative = laboratory(controls=()).plans
    for result, plan, other in zip(others, lab.plans, iterative, strict=True):
        assert plan.source == 0 and plan.kept == other.kept == result.ticket.mask.kept
        expected = by_hand(dense.ticket.mask, dense.ticket.final, plan)
        for path, kept in expected.items():
            assert np.array_equal(result.ticket.mask[path], kept)
        masked = dense.ticket.snapshot.masked(result.ticket.mask)
        assert nets.unlike(result.ticket.start(), masked) == []


def test_global_scope_compares_all_kernels(tmp_path):
    lab = laboratory(scope='global', controls=(), rounds=2)
    found = search(lab, tmp_path)
    for source, result, plan in zip(found, found[1:], lab.plans, strict=False):
        (pool,) = plan.pools
        assert pool.paths == ('dense/kernel', 'dense_1/kernel')
        expected = by_hand(source.ticket.mask, source.ticket.final, plan)
        for path, kept in expected.items():
            assert np.array_equal(result.ticket.mask[path], kept)


def test_a_criterion_of_ones_own_gets_the_evidence_it_asks_for(tmp_path, monkeypatch):
    seen = []

    @criteria.criterion('initial', 'rewind', 'final')
    def movement(evidence):
        """Keeps the weights that moved most."""
        seen.append(evidence)
        return {
            path: np.abs(final - evidence.initial[path]) for path, final in evidence.final.items()
        }

    monkeypatch.setitem(criteria.CRITERIA._entries, 'movement', movement)
    lab = laboratory(criterion='movement', controls=(), rounds=2, rewind_step=K)
    found = search(lab, tmp_path)
    assert len(seen) == 2
    initial, snapshot = lab.initial(0), found[0].ticket.snapshot.weights
    for evidence, source, result, plan in zip(seen, found, found[1:], lab.plans, strict=False):
        paths = list(source.ticket.mask)
        expected = ({p: values[p] for p in paths} for values in (initial, snapshot))
        assert nets.unlike(evidence.initial, next(expected)) == []
        assert nets.unlike(evidence.rewind, next(expected)) == []
        assert nets.unlike(evidence.final, {p: source.ticket.final[p] for p in paths}) == []
        moved = {p: source.ticket.final[p] - initial[p] for p in paths}
        for path, kept in by_hand(source.ticket.mask, moved, plan).items():
            assert np.array_equal(result.ticket.mask[path], kept)
    others = search(laboratory(controls=(), rounds=2, rewind_step=K), tmp_path)
    assert others[0].stage == found[0].stage  # the dense network is the same one
    assert others[1].ticket.mask != found[1].ticket.mask


# -- stages


def test_another_rate_trains_the_dense_network_no_more(tmp_path):
    first = search(laboratory(rounds=1), tmp_path)
    progress = Progress(0, quiet=True)
    second = search(laboratory(rounds=1, rate=0.4), tmp_path, progress)
    assert second[0].stage == first[0].stage
    assert list(progress.seconds) == ['replicate 0 round 1 ticket', 'replicate 0 round 1 reinit']
    assert nets.unlike(dict(first[0].ticket.final), dict(second[0].ticket.final)) == []
    assert second[1].ticket.mask != first[1].ticket.mask
    progress = Progress(0, quiet=True)
    again = search(laboratory(rounds=2), tmp_path, progress)
    assert [r.row for r in again[:3]] == [r.row for r in first]
    assert list(progress.seconds) == ['replicate 0 round 2 ticket', 'replicate 0 round 2 reinit']


@pytest.mark.parametrize(
    'options',
    [
        {'seed': 1},
        {'batch_size': 10},
        {'eval_every': 3},
        {'learning_rate': 1e-3},
        {'rewind_step': 1},
    ],
    ids=str,
)
def test_what_decides_bits_trains_the_dense_network_again(options):
    assert key(laboratory(**options)) != key(laboratory())


@pytest.mark.parametrize(
    'options',
    [{'rounds': 1}, {'replicates': 2}, {'controls': ()}, {'rate': 0.5}, {'margin': 0.1}],
    ids=str,
)
def test_what_decides_no_bits_does_not(options):
    assert key(laboratory(**options)) == key(laboratory())


def test_a_resumed_search_gives_the_same_tickets(tmp_path):
    options = {'rewind_step': K, 'replicates': 2, 'rounds': 1}
    whole = search(laboratory(nets.noisy, **options), tmp_path / 'one')
    lab, store = laboratory(nets.noisy, **options), Store(tmp_path / 'two')
    interrupted = rounds.search(lab, store, Progress(0, quiet=True))
    for _ in range(2):
        next(interrupted)
    interrupted.close()
    progress = Progress(0, quiet=True)
    resumed = search(laboratory(nets.noisy, **options), tmp_path / 'two', progress)
    assert len(progress.seconds) == 6 - 2
    assert [r.row for r in resumed] == [r.row for r in whole]
    for one, other in zip(whole, resumed, strict=True):
        assert one.ticket.mask == other.ticket.mask
        assert nets.unlike(one.ticket.start(), other.ticket.start()) == []
        assert nets.unlike(dict(one.ticket.final), dict(other.ticket.final)) == []


# -- random layers


def test_a_search_with_dropout_repeats_in_one_process(tmp_path):
    found = [
        search(laboratory(nets.noisy, rounds=1, rewind_step=K), tmp_path / str(number))
        for number in range(2)
    ]
    rows = [[r.row for r in results] for results in found]
    assert rows[0] == rows[1]


def test_replicates_differ_in_starts_and_order(tmp_path):
    found = search(laboratory(nets.noisy, rounds=0, replicates=2, seed=1), tmp_path)
    assert [r.row['seed'] for r in found] == [1, 2]
    starts = [r.ticket.start()['dense/kernel'] for r in found]
    assert not np.any(starts[0] == starts[1])


def test_a_replicate_is_the_same_stage_whichever_seed_comes_first():
    assert key(laboratory(seed=0), 2) == key(laboratory(seed=2), 2)


def unseeded():
    return tf_keras.Sequential(
        [
            layers.Dense(10, activation='relu', input_shape=(6,)),
            layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x))),
            layers.Dense(3),
        ]
    )


@pytest.mark.parametrize('engine', ['plain', 'compiled'])
def test_a_layer_that_cannot_be_seeded_is_refused(engine, tmp_path):
    with pytest.raises(errors.ModelError, match='cannot be seeded'):
        search(laboratory(unseeded, engine=engine), tmp_path)
    assert not list(tmp_path.glob('stages/train-*'))
