"""The dry run: how much there is to do, what is there already, and nothing is written."""

import json

import pytest

from lth_keras import errors, finding, plan, strategies
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from tests import nets

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 1},
    **{'training_steps': 10, 'batch_size': 20, 'eval_every': 5, 'engine': 'plain'},
    'export': ('none',),
}


def laboratory(**options):
    return Laboratory(Experiment(**TINY | options), nets.dense, nets.data())


@pytest.mark.parametrize(
    ('options', 'trainings', 'steps'),
    [
        ({}, 5, 50),
        ({'rounds': 0}, 1, 10),
        ({'replicates': 3}, 15, 150),
        ({'controls': ()}, 3, 30),
        # Round 0 takes all steps, the others begin at step 4.
        ({'rewind_step': 4}, 5, 10 + 4 * 6),
        ({'rewind_step': 4, 'replicates': 2}, 10, 2 * (10 + 4 * 6)),
        ({'rounds': 3, 'control_rounds': (2,)}, 5, 50),
        ({'rounds': 3, 'control_rounds': (1, 3), 'rewind_step': 1}, 6, 10 + 5 * 9),
        ({'rounds': 3, 'control_rounds': (2,), 'controls': ()}, 4, 40),
        ({'procedure': 'one_shot', 'rounds': 3}, 7, 70),
        ({'procedure': 'one_shot', 'target_density': 0.3}, 3, 30),
        ({'target_density': 0.5, 'controls': ()}, 5, 50),
        ({'scope': 'global'}, 5, 50),
    ],
    ids=str,
)
def test_counts(options, trainings, steps):
    lab = laboratory(**options)
    assert len(plan.trainings(lab)) == plan.count(lab) == trainings
    assert plan.steps(lab) == steps


def test_trainings_come_in_order():
    lab = laboratory(replicates=2, control_rounds=(2,))
    one = [(0, 'ticket', 0), (1, 'ticket', 0), (2, 'ticket', 0), (2, 'reinit', 0)]
    assert plan.trainings(lab) == [(r, *rest) for r in (0, 1) for rest in one]


def test_the_plan_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab = laboratory(workdir=str(tmp_path / 'work'), rewind_step=4)
    text = plan.describe(lab.experiment, lab)
    assert not any(tmp_path.iterdir())
    assert f'results: {tmp_path / "work" / f"{lab.name}-{lab.fingerprint}"}' in text
    assert 'already there: 0 of 5 trainings' in text
    assert 'to do: 34 steps, about ' in text and 'steps/s here' in text
    assert '1 replicates, 5 trainings of 10 steps (rounds above 0 from step 4), plain' in text
    assert 'dense/kernel' in text and 'random: 40 / 20 / 20 train' in text


def test_the_table_has_a_row_per_round(monkeypatch):
    monkeypatch.setattr(plan, 'probe', lambda lab: 60.0)
    lab = laboratory(control_rounds=(2,), procedure='one_shot')
    lines = plan.describe(lab.experiment, lab).splitlines()
    head = next(i for i, line in enumerate(lines) if line.split()[:2] == ['round', 'prunes'])
    # 60 and 30 weights at rates 0.2 and 0.1: 12 and 3 go, then 10 (of 48: 9.6) and 3 (2.7).
    assert [line.split() for line in lines[head + 1 : head + 4]] == [
        ['0', '-', '90', '1.0000', '-'],
        ['1', '0', '75', '0.8333', '-'],
        ['2', '0', '62', '0.6889', 'reinit'],
    ]
    assert 'about 40 min at 0 steps/s here' in lines[-1]


def test_what_is_there_is_not_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, 'probe', lambda lab: 0.5)
    where = {'workdir': str(tmp_path), 'rewind_step': 4}
    first = laboratory(rounds=1, **where)
    finding.find(first.experiment, first, quiet=True)
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}

    text = plan.describe(first.experiment, laboratory(rounds=1, **where))
    assert 'already there: 3 of 3 trainings' in text
    assert text.endswith('to do: nothing but the report')

    more = laboratory(**where)
    text = plan.describe(more.experiment, more)
    assert 'already there: 3 of 5 trainings' in text
    assert 'to do: 12 steps, about 6 s at 2 steps/s here' in text

    less = laboratory(rounds=1, controls=(), **where)
    assert 'already there: 2 of 2 trainings' in plan.describe(less.experiment, less)

    # The dense network is the same one at another rate, and another one at another batch size.
    other = laboratory(rounds=1, rate=0.3, **where)
    assert 'already there: 1 of 3 trainings' in plan.describe(other.experiment, other)
    other = laboratory(rounds=1, batch_size=10, **where)
    assert 'already there: 0 of 3 trainings' in plan.describe(other.experiment, other)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')} == files

    (record,) = tmp_path.glob('*/records.json')
    record.write_text(record.read_text().replace('"round": 1', '"round": 2', 1))
    with pytest.raises(errors.StoreError, match='remove it'):
        plan.describe(first.experiment, first)


def test_the_plan_of_a_named_data_set_needs_no_laboratory(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, 'probe', lambda lab: 0.001)
    experiment = Experiment(rounds=1, replicates=1, workdir=str(tmp_path / 'work'))
    text = plan.describe(experiment)
    assert f'lenet_300_100-digits-resetting-{experiment.fingerprint()}' in text
    assert not (tmp_path / 'work').exists()


def test_the_plan_of_several_workers_waits_for_none(tmp_path, monkeypatch):
    cluster = {'chief': ['a:1'], 'worker': ['b:2']}
    config = {'cluster': cluster, 'task': {'type': 'worker', 'index': 0}}
    monkeypatch.setenv('TF_CONFIG', json.dumps(config))
    lab = laboratory(
        workdir=str(tmp_path), strategy='multi_worker', dry_run=True, engine='auto', controls=()
    )
    assert isinstance(lab.strategy, strategies.Planned) and lab.identity['replicas'] == 2
    text = plan.describe(lab.experiment, lab)
    assert 'plain engine' in text and 'to do: 30 steps; the pace of several workers is' in text
    assert not any(tmp_path.iterdir())
