"""Lengths of training in steps and epochs: in the configuration, as flags, and in records."""

import dataclasses
import json
import os
import shlex
import subprocess
import sys

import pytest
from absl import flags
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import config_flags
from lth_keras import errors, finding, plan, steps
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from tests import nets, own

examples = settings(database=None, deadline=None, derandomize=True)
# 45 examples in batches of 20: three steps in an epoch, or two.
BASE = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'training_steps': '3ep'},
    **{'batch_size': 20, 'eval_every': '1ep', 'replicates': 1, 'engine': 'plain'},
    **{'controls': (), 'rounds': 1, 'export': ('none',)},
}


def laboratory(**options):
    return Laboratory(Experiment(**BASE | options), nets.dense, nets.data(sizes=(45, 20, 20)))


def resolved(**options):
    return laboratory(**options).experiment


def parsed(command):
    """The experiment that the flags of a command describe."""
    values, define, boolean = flags.FlagValues(), flags.DEFINE, flags.DEFINE_boolean
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flags, 'DEFINE', lambda *a, **o: define(*a, flag_values=values, **o))
        patch.setattr(flags, 'DEFINE_boolean', lambda *a: boolean(*a, flag_values=values))
        config_flags.define()
    assert len(values(shlex.split(command))) == 1
    return Experiment(**{f.name: values[f.name].value for f in dataclasses.fields(Experiment)})


# -- as text


@examples
@given(st.integers(1, 999), st.sampled_from(['', '.0', '.5', '.25']), st.integers(1, 10_000))
def test_one_form_for_one_duration(whole, part, per_epoch):
    text = f'{whole}{part}ep'
    form = steps.duration(text)
    assert steps.duration(form) == form
    assert form == steps.duration(f' {whole}{part}0 ep') if part else form == text
    assert steps.in_steps(form, per_epoch) == round((whole + float(f'0{part or ".0"}')) * per_epoch)


@examples
@given(st.integers(-(10**12), 10**12))
def test_whole_steps_stay_what_they_are(number):
    assert steps.duration(number) == steps.duration(str(number)) == number


@pytest.mark.parametrize(
    'text', ['', 'ep', '3 epochs', '3e', '1e3', '-1ep', '3.5', 'nan', 'infep', '1..5ep', '3ep 4ep']
)
def test_bad_text(text):
    with pytest.raises(errors.ConfigError, match="epochs such as '3ep', received "):
        steps.duration(text)
    with pytest.raises(errors.ConfigError, match='^training_steps: expected') as caught:
        Experiment(training_steps=text)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('value', [True, 3.0, None, [3]], ids=str)
def test_bad_values(value):
    with pytest.raises(errors.ConfigError, match='training_steps: expected'):
        Experiment(training_steps=value)


@pytest.mark.parametrize(
    ('text', 'expected'), [('1234567ep', 12345670), ('0.00001ep', 0), ('1234.567ep', 12346)]
)
def test_many_digits(text, expected):
    form = steps.duration(text)
    assert steps.duration(form) == form
    assert steps.in_steps(form, 10) == expected
    assert steps.in_steps(form, 10**7) == round(float(text[:-2]) * 10**7)


# -- resolved


def test_every_duration_may_be_in_epochs():
    found = resolved(
        training_steps='4ep',
        eval_every='0.5ep',
        rewind_step='1ep',
        learning_rate_schedule='piecewise',
        learning_rate_boundaries=('2ep', '3ep'),
        warmup_steps='1.5ep',
    )
    assert (found.training_steps, found.eval_every, found.rewind_step) == (12, 2, 3)
    assert found.learning_rate_boundaries == (6, 9)
    assert found.warmup_steps == 4  # 4.5, to even
    same = resolved(
        training_steps=12,
        eval_every=2,
        rewind_step=3,
        learning_rate_schedule='piecewise',
        learning_rate_boundaries=(6, 9),
        warmup_steps=4,
    )
    assert same == found and same.fingerprint() == found.fingerprint()


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, 9),
        ({'drop_remainder': True}, 6),
        ({'batch_size': 15}, 9),
        ({'batch_size': 15, 'drop_remainder': True}, 9),
        ({'batch_size': 45, 'drop_remainder': True}, 3),
        ({'train_examples': 40}, 6),
        ({'train_examples': 39, 'drop_remainder': True}, 3),
        ({'training_steps': 7}, 7),
    ],
    ids=str,
)
def test_steps_of_an_epoch(options, expected):
    assert resolved(**options | {'eval_every': 1}).training_steps == expected


def test_an_epoch_sees_every_example_once():
    lab = laboratory(training_steps='2ep')
    epochs = steps.Epochs(45, 20, 0)
    seen = [i for b in epochs.blocks(0, lab.experiment.training_steps) for i in b.ravel()]
    assert sorted(seen) == sorted([*range(45), *range(45)])


def test_evaluations_and_the_rewind_step_lie_at_epochs(tmp_path):
    lab = laboratory(rewind_step='1ep', workdir=str(tmp_path))
    found = finding.find(lab.experiment, lab, quiet=True)
    assert [(row['training_steps'], row['rewind_step']) for row in found.rows] == [(9, 3)] * 2
    curves = sorted(tmp_path.glob('stages/train-*/*curve.csv'))
    marks = [[int(line.split(',')[0]) for line in c.read_text().splitlines()[1:]] for c in curves]
    assert sorted(marks, key=len) == [[3, 6, 9], [0, 3, 6, 9]]


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'training_steps': '0.1ep', 'eval_every': '0.1ep'}, 'training_steps: .* received 0'),
        ({'eval_every': '0.1ep'}, 'eval_every: .* received 0'),
        ({'eval_every': '4ep'}, 'eval_every: expected at most training_steps'),
        ({'training_steps': 8, 'eval_every': '3ep'}, r'eval_every: .*\(8\), received 9'),
        ({'training_steps': 8, 'rewind_step': '3ep', 'eval_every': 1}, 'rewind_step: .*received 9'),
        ({'training_steps': 8, 'warmup_steps': '3ep', 'eval_every': 1}, 'warmup_steps: .* 9'),
        (
            {
                'learning_rate_schedule': 'piecewise',
                'learning_rate_boundaries': (4, '1ep'),
                'eval_every': 1,
            },
            'expected rising steps, received 4 before 3',
        ),
        (
            {'learning_rate_schedule': 'piecewise', 'learning_rate_boundaries': ('0.1ep',)},
            'learning_rate_boundaries: .*received 0',
        ),
        ({'batch_size': 46}, 'batch size: expected between 1 and the 45 training examples'),
        ({'batch_size': 46, 'drop_remainder': True}, 'between 1 and the 45 training examples'),
    ],
    ids=str,
)
def test_what_only_the_data_set_can_tell(options, text):
    with pytest.raises(errors.ConfigError, match=text) as caught:
        laboratory(**options)
    assert '\n' not in str(caught.value)


def test_equal_lengths_in_other_units_are_one_run():
    one, other = laboratory(), laboratory(training_steps=9, eval_every=3)
    assert one.fingerprint == other.fingerprint and one.identity == other.identity
    named = [
        Laboratory(Experiment(training_steps=t, eval_every=e, replicates=1))
        for t, e in (('2ep', '1ep'), (42, 21))
    ]
    assert named[0].fingerprint == named[1].fingerprint


# -- as flags


def test_flags():
    given = parsed(
        'lottery --training_steps=3ep --eval_every=0.50ep --rewind_step=20 --warmup_steps=1ep '
        '--learning_rate_schedule=piecewise --learning_rate_boundaries=1ep,1.5ep,50'
    )
    assert (given.training_steps, given.eval_every, given.rewind_step) == ('3ep', '0.5ep', 20)
    assert given.learning_rate_boundaries == ('1ep', '1.5ep', 50)
    assert given.resolved(21).learning_rate_boundaries == (21, 32, 50)


@pytest.mark.parametrize(
    'flag',
    [
        '--training_steps=3 epochs',
        '--training_steps=',
        '--training_steps=0ep',
        '--eval_every=-1ep',
        '--rewind_step=1.5',
        '--learning_rate_boundaries=1ep,two',
    ],
)
def test_a_bad_flag_is_one_line(flag):
    with pytest.raises(Exception, match=f'{flag[2:].partition("=")[0]}.*expected') as caught:
        parsed(f"lottery '{flag}'")
    assert len(str(caught.value).splitlines()) == 1


def test_the_recorded_command_is_in_steps_and_repeats_the_run(tmp_path):
    lab = laboratory(rewind_step='1ep', drop_remainder=True, workdir=str(tmp_path / 'a'))
    found = finding.find(lab.experiment, lab, quiet=True)
    record = json.loads((found.directory / 'records.json').read_text())
    assert record['configuration']['training_steps'] == 6
    assert '--training_steps=6' in record['command'] and 'ep ' not in record['command']
    again = parsed(record['command'])
    assert (again.training_steps, again.eval_every, again.rewind_step) == (6, 2, 2)
    changed = {f: getattr(again, f) for f in again.__dataclass_fields__}
    changed['workdir'] = str(tmp_path / 'b')
    other = Laboratory(Experiment(**changed), nets.dense, lab.data)
    assert other.fingerprint == lab.fingerprint
    assert finding.find(other.experiment, other, quiet=True).rows == found.rows


def test_the_plan_is_in_steps(monkeypatch):
    monkeypatch.setattr(plan, 'probe', lambda lab: 0.5)
    lab = laboratory(rewind_step='1ep')
    assert '2 trainings of 9 steps (rounds above 0 from step 3)' in plan.describe(
        lab.experiment, lab
    )


def command(*arguments):
    env = {**os.environ, 'PYTHONPATH': str(nets.ROOT)}
    line = [sys.executable, '-P', '-m', 'experiments.lottery', *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=nets.ROOT, env=env, check=False)


def test_the_command_line(tmp_path):
    bad = command('--training_steps=3 epochs', f'--workdir={tmp_path / "none"}')
    lines = bad.stderr.splitlines()
    assert bad.returncode == 2 and len(lines) == 1, bad.stderr
    assert lines[0].startswith('error: ') and "such as '3ep'" in lines[0]
    assert 'training_steps' in lines[0] and "'3 epochs'" in lines[0]
    done = command(
        *('--model=tests.own:small', '--dataset=tests.own:data', '--training_steps=2ep'),
        *('--batch_size=20', '--eval_every=1ep', '--rounds=0', '--replicates=1'),
        *('--export=none', '--engine=plain', f'--workdir={tmp_path}'),
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob('*/records.json')
    record = json.loads(path.read_text())
    per_epoch = -(-(len(own.data()[0][1]) - 9) // 20)
    assert record['rows'][0]['training_steps'] == 2 * per_epoch
    assert f'--training_steps={2 * per_epoch}' in record['command']
