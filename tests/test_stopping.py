"""When a replicate stops: after the right round, on validation data alone, each by itself."""

import dataclasses
import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras import errors, finding, plan, records, rounds, stopping
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.store import Store
from tests import nets

examples = settings(database=None, deadline=None, derandomize=True)
TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 3, 'replicates': 1},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'plain'},
    **{'controls': (), 'export': ('none',), 'margin': 0.01},
}
FALLING = (0.9, 0.895, 0.88, 0.7)  # of rounds 0 to 3; the margin is left in round 2


class Scripted(Laboratory):
    """A laboratory whose trainings measure what a script says, by seed and round."""

    def __init__(self, script, test=None, **options):
        super().__init__(Experiment(**TINY | options), nets.dense, nets.data())
        kept = {self.dense.kept: 0} | {plan.kept: plan.round for plan in self.plans}
        train = self.trainer.train

        def scripted(start, mask, seed, *rest, **more):
            trained, number = train(start, mask, seed, *rest, **more), kept[mask.kept]
            accuracy = script[seed][number] if isinstance(script, dict) else script[number]
            found = {**trained.early_stop, 'validation_accuracy': accuracy}
            if test is not None:
                found['test_accuracy'] = test[number]
            # The last step's numbers are none of the rule's business.
            last = {**trained.final, 'validation_accuracy': 1 - accuracy}
            return dataclasses.replace(trained, early_stop=found, final=last)

        self.trainer.train = scripted


def places(lab, workdir, progress=None):
    found = rounds.search(lab, Store(workdir), progress or Progress(0, quiet=True))
    return [(r.replicate, r.round, r.variant) for r in found]


def trained(script, workdir, **options):
    """The rounds of each replicate's tickets."""
    found = places(Scripted(script, **options), workdir)
    return [number for _, number, _ in found]


FLOOR = {'stop_rule': 'accuracy_floor', 'stop_floor': 0.89}
MATCHING = {'stop_rule': 'not_matching'}


# -- the rules by themselves


@examples
@given(st.integers(1, 1000), st.data())
def test_a_loss_of_exactly_the_margin_still_matches(size, drawn):
    dense, lost = drawn.draw(st.integers(0, size)), drawn.draw(st.integers(0, size))
    lost = min(lost, dense)
    rows = [{'validation_accuracy': count / size} for count in (dense - lost, dense)]
    assert not stopping.not_matching(*rows, 0.0, lost / size)
    if lost:
        assert stopping.not_matching(*rows, 0.0, (lost - 0.5) / size)


def test_a_floor_is_reached_by_what_equals_it():
    assert not stopping.accuracy_floor({'validation_accuracy': 0.9}, {}, 0.9, 0.0)
    assert stopping.accuracy_floor({'validation_accuracy': 0.8999}, {}, 0.9, 0.0)


@pytest.mark.parametrize('name', stopping.STOP_RULES)
def test_a_ticket_that_is_better_than_dense_never_stops(name):
    rows = {'validation_accuracy': 0.95}, {'validation_accuracy': 0.9}
    assert not stopping.STOP_RULES[name](*rows, 0.5, 0.0)


# -- in a search


@pytest.mark.parametrize(
    ('options', 'last'),
    [
        ({}, 3),
        (FLOOR, 2),
        (FLOOR | {'stop_floor': 0.895}, 2),
        (FLOOR | {'stop_floor': 0.8951}, 1),
        (FLOOR | {'stop_floor': 0.1}, 3),
        (MATCHING, 2),
        (MATCHING | {'margin': 0.02}, 3),
        (MATCHING | {'margin': 0.0}, 1),
        (MATCHING | {'procedure': 'one_shot'}, 2),
        (MATCHING | {'procedure': 'lr_rewind'}, 2),
    ],
    ids=str,
)
def test_the_first_round_that_fails_is_the_last(options, last, tmp_path):
    assert trained(FALLING, tmp_path, **options) == list(range(last + 1))


def test_the_dense_network_does_not_stop_a_search(tmp_path):
    assert trained((0.1, 0.95, 0.95, 0.1), tmp_path, **FLOOR) == [0, 1, 2, 3]


@pytest.mark.parametrize('options', [FLOOR, MATCHING], ids=str)
def test_test_accuracy_does_not_matter(options, tmp_path):
    good, bad = (0.9,) * 4, (0.9, 0.1, 0.1, 0.1)
    for number, (validation, test, last) in enumerate(
        [(good, bad, 3), (bad, good, 1), (FALLING, good, 2)]
    ):
        found = trained(validation, tmp_path / str(number), test=test, **options)
        assert found == list(range(last + 1))


def test_the_last_round_has_its_controls_and_its_continued_network(tmp_path):
    options = MATCHING | {'controls': ('reinit',), 'procedure': 'continued'}
    found = places(Scripted(FALLING, **options), tmp_path)
    expected = [(0, 0, 'ticket')]
    for number in (1, 2):
        expected += [(0, number, name) for name in ('ticket', 'continued', 'reinit')]
    assert found == expected


SCRIPTS = {0: (0.9, 0.5, 0.5, 0.5), 1: (0.9,) * 4, 2: (0.8, 0.795, 0.5, 0.5)}


def test_every_replicate_stops_by_itself(tmp_path):
    found = places(Scripted(SCRIPTS, replicates=3, **MATCHING), tmp_path)
    assert [(r, n) for r, n, _ in found] == [
        *((0, 0), (0, 1)),
        *((1, 0), (1, 1), (1, 2), (1, 3)),
        *((2, 0), (2, 1), (2, 2)),
    ]


# -- records, tables, resume


def search(script, workdir, **options):
    lab = Scripted(script, **options, workdir=str(workdir))
    return finding.find(lab.experiment, lab, quiet=True)


def record(found):
    return json.loads((found.directory / records.NAME).read_text())


def test_records_and_summary_hold_what_was_trained(tmp_path):
    found = search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    assert len(record(found)['rows']) == len(found.rows) == 9
    notes = {s.round: (s.replicates, s.note) for s in found.summaries}
    assert notes == {
        **{0: (3, ''), 1: (3, ''), 2: (2, 'missing replicate 0')},
        **{3: (1, 'missing replicates 0, 2')},
    }
    assert 'missing replicates 0, 2' in found.describe()


@pytest.mark.parametrize(
    'laxer', [{}, FLOOR | {'stop_floor': 0.01}, MATCHING | {'margin': 0.9}], ids=str
)
def test_a_laxer_rule_trains_only_what_is_new(laxer, tmp_path):
    options = {'replicates': 3, 'workdir': str(tmp_path)}
    search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    lab = Scripted(SCRIPTS, **options | laxer)
    progress = Progress(0, quiet=True)
    assert len(places(lab, tmp_path, progress)) == 12
    new = [(0, 2), (0, 3), (2, 3)]
    assert sorted(progress.seconds) == [f'replicate {r} round {n} ticket' for r, n in new]


def test_a_laxer_rule_is_the_same_run_with_all_rows(tmp_path):
    strict = search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    lax = search(SCRIPTS, tmp_path, replicates=3)
    assert lax.directory == strict.directory
    assert len(strict.rows) == 9 and len(lax.rows) == 12
    assert [row for row in lax.rows if row in strict.rows] == strict.rows
    again = search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    assert len(again.rows) == 12  # what was trained stays in the tables


def test_a_stopped_search_that_is_run_again_trains_nothing(tmp_path):
    search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    lab, progress = Scripted(SCRIPTS, replicates=3, **MATCHING), Progress(0, quiet=True)
    places(lab, tmp_path, progress)
    assert not progress.seconds


def flags_of(command):
    return dict(part.removeprefix('--').split('=', 1) for part in shlex.split(command)[1:])


def test_the_command_of_a_stopped_search_repeats_it(tmp_path):
    given = flags_of(record(search(SCRIPTS, tmp_path, replicates=3, **MATCHING))['command'])
    assert given['stop_rule'] == 'not_matching' and given['margin'] == '0.01'
    assert given['rounds'] == '3' and 'replicates' not in given  # 3 is the default


def test_the_command_covers_rows_that_its_rule_would_not_train(tmp_path):
    search(FALLING, tmp_path)
    stopped = search(FALLING, tmp_path, **MATCHING)
    assert len(stopped.rows) == 4
    assert 'stop_rule' not in flags_of(record(stopped)['command'])


def test_a_round_to_export_that_was_not_reached(tmp_path):
    try:
        found = search(FALLING, tmp_path, **MATCHING | {'export': ('1', '3')})
    except errors.LotteryError:
        return
    assert [name[:8] for name in found.exported] == ['round-01']


def test_replicates_that_stopped_do_not_make_a_later_round_match(tmp_path):
    """Of three replicates one matches in round 3, where the others were given up before."""
    found = search(SCRIPTS, tmp_path, replicates=3, **MATCHING)
    assert found.matching != (3, 1)


def test_the_dry_run_says_that_there_may_be_fewer(tmp_path):
    lab = Scripted(FALLING, workdir=str(tmp_path), **MATCHING)
    text = plan.describe(lab.experiment, lab)
    assert 'not_matching' in text or 'at most' in text


def test_the_dry_run_sees_what_a_stopped_search_trained(tmp_path):
    lab = Scripted(FALLING, workdir=str(tmp_path), **MATCHING)
    finding.find(lab.experiment, lab, quiet=True)
    assert 'already there: 3 of 4 trainings' in plan.describe(lab.experiment, lab)


def test_the_dry_run_of_a_search_that_is_finished_by_its_rule(tmp_path):
    lab = Scripted(FALLING, workdir=str(tmp_path), **MATCHING)
    finding.find(lab.experiment, lab, quiet=True)
    assert 'to do: nothing' in plan.describe(lab.experiment, lab)


def test_with_a_transfer_there_is_no_stop_rule():
    with pytest.raises(errors.ConfigError, match='stop_rule: expected never beside transfer_from'):
        Experiment(transfer_from='digits', dataset='digits_28', stop_rule='not_matching')


# -- settings


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'stop_rule': 'accuracy_floor'}, 'stop_floor: expected an accuracy above 0'),
        ({'stop_floor': 0.5}, 'none without, received 0.5 with never'),
        ({'stop_rule': 'not_matching', 'stop_floor': 0.5}, 'received 0.5 with not_matching'),
        ({'stop_rule': 'accuracy_floor', 'stop_floor': 98}, r'stop_floor: expected .*\[0, 1\)'),
        ({'stop_rule': 'matching'}, "stop_rule: unknown stop rule 'matching': did you mean"),
    ],
)
def test_rules_that_make_no_sense(options, text):
    with pytest.raises(errors.ConfigError, match=text):
        Experiment(**options)


def test_the_rule_decides_no_bits():
    assert Experiment(**FLOOR).fingerprint() == Experiment(**MATCHING).fingerprint()
