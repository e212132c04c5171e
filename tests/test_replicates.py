"""Replicates from any number on, several draws of a control, and all controls in one search."""

import json

import numpy as np
import pytest

from lth_keras import errors, finding, plan, records, report, rounds
from lth_keras.controls import CONTROLS
from lth_keras.experiment import Experiment, replicates_of, seeds_of
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.store import Store
from tests import nets
from tests.test_durations import parsed

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 1},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'plain'},
    'export': ('none',),
}
OTHERS = tuple(name for name in CONTROLS if name != 'small_dense')


def laboratory(build=nets.dense, **options):
    return Laboratory(Experiment(**TINY | options), build, nets.data())


def search(lab, workdir, progress=None):
    return list(rounds.search(lab, Store(workdir), progress or Progress(0, quiet=True)))


def find(workdir, **options):
    lab = laboratory(**options, workdir=str(workdir))
    return finding.find(lab.experiment, lab, quiet=True)


def record(found):
    return json.loads((found.directory / records.NAME).read_text())


# -- draws


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """All controls that need no width, drawn twice."""
    workdir = tmp_path_factory.mktemp('work')
    lab = laboratory(controls=OTHERS, control_draws=2, replicates=2, rewind_step=1)
    return lab, workdir, search(lab, workdir)


def test_two_rows_per_control(drawn):
    lab, _, found = drawn
    expected = []
    for replicate in (0, 1):
        expected.append((replicate, 0, 'ticket', 0))
        for number in (1, 2):
            expected.append((replicate, number, 'ticket', 0))
            expected += [(replicate, number, name, d) for name in OTHERS for d in (0, 1)]
    rows = [(r.row['replicate'], r.row['round'], r.row['variant'], r.row['draw']) for r in found]
    assert rows == expected == plan.trainings(lab)


def test_draws_start_unlike_each_other_and_the_ticket(drawn):
    _, _, found = drawn
    for place in {(r.replicate, r.round) for r in found if r.round}:
        here = [r for r in found if (r.replicate, r.round) == place]
        starts = [nets.bits(r.ticket.start()['dense/kernel']) for r in here]
        assert len(set(starts)) == len(here) == 1 + 2 * len(OTHERS)
        assert len({r.stage for r in here}) == len(here)


def test_no_two_networks_of_a_search_start_alike(drawn):
    starts = [nets.bits(r.ticket.start()['dense/kernel']) for r in drawn[2]]
    assert len(set(starts)) == len(starts)


def test_draws_keep_what_their_control_keeps(drawn):
    _, _, found = drawn
    tickets = {(r.replicate, r.round): r.ticket for r in found if r.variant == 'ticket'}
    for result in found:
        if result.variant == 'ticket':
            continue
        ticket = tickets[result.replicate, result.round]
        changes = CONTROLS[result.variant].changes
        assert (result.ticket.mask == ticket.mask) == ('mask' not in changes)
        alike = nets.unlike(dict(result.ticket.snapshot.weights), dict(ticket.snapshot.weights))
        assert (not alike) == ('weights' not in changes)
        assert result.ticket.mask.kept == ticket.mask.kept
        assert result.ticket.snapshot.step == 1


def test_one_draw_is_the_first_of_two(drawn):
    _, workdir, found = drawn
    progress = Progress(0, quiet=True)
    lab = laboratory(controls=OTHERS, replicates=2, rewind_step=1)
    once = search(lab, workdir, progress)
    assert not progress.seconds
    assert [r.row for r in once] == [r.row for r in found if not r.row['draw']]


def test_the_summary_averages_over_draws(drawn):
    found = [r.row for r in drawn[2]]
    for summary in report.summarise(found):
        rows = [r for r in found if (r['round'], r['variant']) == (summary.round, summary.variant)]
        draws = 1 if summary.variant == 'ticket' else 2
        assert (summary.replicates, summary.trainings) == (2, 2 * draws)
        means = [np.mean([r['test_accuracy'] for r in rows if r['replicate'] == n]) for n in (0, 1)]
        assert summary.test_accuracy.mean == pytest.approx(np.mean(means))
        ends = summary.test_accuracy.minimum, summary.test_accuracy.maximum
        assert ends == pytest.approx((min(means), max(means)))
        assert summary.note == ''


def test_the_recorded_command_draws_as_often(tmp_path):
    found = find(tmp_path, control_draws=2, rounds=1)
    assert len(found.rows) == 4
    again = parsed(record(found)['command'])
    assert (again.control_draws, again.controls) == (2, ('reinit',))
    fewer = find(tmp_path, rounds=1)
    assert len(fewer.rows) == 4 and record(fewer)['command'] == record(found)['command']


# -- replicates


def test_the_first_replicate_decides_numbers_and_seeds():
    experiment = Experiment(first_replicate=3, replicates=2, seed=10)
    assert list(replicates_of(experiment)) == [3, 4]
    assert seeds_of(experiment) == [13, 14]
    assert experiment.fingerprint() == Experiment(seed=10).fingerprint()


@pytest.mark.parametrize('seed', [0, 7])
def test_later_replicates_are_those_of_a_longer_search(seed, tmp_path):
    options = {'seed': seed, 'rounds': 1, 'rewind_step': 1}
    late = search(laboratory(first_replicate=3, replicates=2, **options), tmp_path / 'late')
    assert {(r.replicate, r.row['seed']) for r in late} == {(3, seed + 3), (4, seed + 4)}
    whole = search(laboratory(nets.dense, replicates=5, **options), tmp_path / 'whole')
    same = [r for r in whole if r.replicate >= 3]
    assert [r.row for r in late] == [r.row for r in same]
    for one, other in zip(late, same, strict=True):
        assert nets.unlike(dict(one.ticket.final), dict(other.ticket.final)) == []
        assert one.ticket.mask == other.ticket.mask


def test_replicates_of_two_commands_are_one_run(tmp_path):
    first = find(tmp_path, replicates=2, rounds=0)
    both = find(tmp_path, replicates=1, first_replicate=2, rounds=0)
    assert first.directory == both.directory
    assert [row['replicate'] for row in both.rows] == [0, 1, 2]
    again = parsed(record(both)['command'])
    assert list(replicates_of(again)) == [0, 1, 2]


def test_the_command_of_later_replicates_trains_no_others(tmp_path):
    found = find(tmp_path, replicates=2, first_replicate=3, rounds=0)
    assert list(replicates_of(parsed(record(found)['command']))) == [3, 4]


def test_the_plan_of_later_replicates(tmp_path):
    find(tmp_path, replicates=2, rounds=0)
    lab = laboratory(replicates=2, first_replicate=1, rounds=0, workdir=str(tmp_path))
    assert [training[0] for training in plan.trainings(lab)] == [1, 2]
    assert 'already there: 1 of 2 trainings' in plan.describe(lab.experiment, lab)


def test_only_some_rounds_can_be_recorded(tmp_path):
    found = find(tmp_path, procedure='one_shot', rounds=4, only_rounds=(2, 4), controls=())
    assert [row['round'] for row in found.rows] == [0, 2, 4]
    assert parsed(record(found)['command']).only_rounds == (2, 4)


def test_the_command_covers_rounds_of_an_earlier_one(tmp_path):
    options = {'procedure': 'one_shot', 'controls': ()}
    find(tmp_path, **options)
    found = find(tmp_path, **options, only_rounds=(2,))
    assert [row['round'] for row in found.rows] == [0, 1, 2]
    assert parsed(record(found)['command']).only_rounds in ((), (1, 2))


# -- all controls in one search


NAMED = {
    **{'model': 'mlp', 'hidden': (12, 8), 'dataset': 'digits', 'rounds': 2, 'replicates': 1},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'plain'},
    **{'train_examples': 60, 'export': ('2',), 'rate': 0.5, 'normalisation': 'per_channel'},
    **{'label_noise': 0.2, 'rewind_step': 1},
}


@pytest.fixture(scope='module')
def named(tmp_path_factory):
    """A search by name with every control there is."""
    workdir = tmp_path_factory.mktemp('work')
    lab = Laboratory(Experiment(**NAMED, controls=tuple(CONTROLS), workdir=str(workdir)))
    return lab, search(lab, workdir)


def test_every_control_beside_every_ticket(named):
    _, found = named
    for number in (1, 2):
        here = [r.variant for r in found if r.round == number]
        assert here == ['ticket', *CONTROLS]


def test_a_small_dense_network_is_narrower_and_has_no_more_parameters(named):
    _, found = named
    tickets = {r.round: r for r in found if r.variant == 'ticket'}
    small = {r.round: r for r in found if r.variant == 'small_dense'}
    for number, result in small.items():
        ticket = tickets[number]
        assert result.row['model_density'] <= ticket.row['model_density']
        assert result.row['model_density'] > 0.8 * ticket.row['model_density']
        assert result.ticket.mask.density == 1
        assert result.ticket.mask.shapes.keys() == ticket.ticket.mask.shapes.keys()
        assert result.ticket.mask.shapes['dense/kernel'][1] < 12
        assert result.row['density'] == result.ticket.mask.kept / (64 * 12 + 12 * 8 + 8 * 10)
    assert small[2].ticket.mask.size < small[1].ticket.mask.size


def test_a_small_dense_network_is_really_trained(named):
    lab, found = named
    for result in (r for r in found if r.variant == 'small_dense'):
        start, final = result.ticket.start(), result.ticket.final
        for path, value in start.items():
            assert final[path].shape == value.shape
        assert np.any(start['dense/kernel'] != final['dense/kernel'])
        model = result.ticket.model('early_stop')
        x, y = lab.data.test
        accuracy = np.mean(model.predict(x, verbose=0).argmax(1) == y)
        assert accuracy == pytest.approx(result.row['test_accuracy'])


def test_the_narrower_laboratory_has_the_same_data_and_settings(named):
    lab, found = named
    result = next(r for r in found if r.variant == 'small_dense')
    narrow = lab.sibling(result.ticket.provenance['width_factor'])
    assert narrow.data.digest == lab.data.digest  # neither noise nor normalisation once more
    kept = ('training_steps', 'eval_every', 'rewind_step', 'optimizer', 'batch_size', 'rate')
    for name in kept:
        assert getattr(narrow.experiment, name) == getattr(lab.experiment, name)
    assert narrow.architecture == result.ticket.architecture != lab.architecture


def test_a_search_with_every_control_is_resumed(named):
    lab, found = named
    progress = Progress(0, quiet=True)
    again = Laboratory(lab.experiment)
    assert [r.row for r in search(again, lab.experiment.workdir, progress)] == [
        r.row for r in found
    ]
    assert not progress.seconds


@pytest.mark.parametrize('build', [nets.dense, nets.normalised])
def test_a_function_cannot_be_made_narrower(build, tmp_path):
    lab = laboratory(build, controls=('small_dense',), workdir=str(tmp_path / 'none'))
    with pytest.raises(errors.ConfigError, match='leave out the control small_dense'):
        finding.find(lab.experiment, lab, quiet=True)
    assert not (tmp_path / 'none').exists()
    with pytest.raises(errors.ConfigError, match='leave out the control small_dense'):
        plan.describe(lab.experiment, lab)


def test_a_model_by_name_without_a_width_cannot_either(tmp_path):
    experiment = Experiment(
        **TINY | {'model': 'tests.own:small', 'dataset': 'tests.own:data'},
        controls=('small_dense',),
        workdir=str(tmp_path / 'none'),
    )
    with pytest.raises(errors.ConfigError, match='takes no option width'):
        finding.find(experiment, quiet=True)
    assert not (tmp_path / 'none').exists()


def test_rounds_without_controls_need_no_width(tmp_path):
    lab = laboratory(controls=('small_dense',), rounds=0, workdir=str(tmp_path))
    try:
        assert len(finding.find(lab.experiment, lab, quiet=True).rows) == 1
    except errors.ConfigError as e:
        assert 'small_dense' in str(e)
