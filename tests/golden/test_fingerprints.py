"""Fingerprints name the directories of runs, so they may not drift.

`fingerprints.json` freezes those of some configurations. A fingerprint covers only the fields
that decide bits and differ from their default. So a field that is added later, with a default
that does what was done before it existed (a *neutral* default), must leave all of these as they
are: old runs keep their names and are found again. If this test fails after such a change, the
default is not neutral, or `fingerprint` no longer leaves defaults out: mend the change, not the
golden. Only where a default changes its meaning do the goldens change, in one commit with
`lth_keras.experiment.FORMAT` and a line in CHANGELOG.md.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from lth_keras.experiment import Experiment
from lth_keras.fields import field

GOLDENS = json.loads(Path(__file__).with_name('fingerprints.json').read_text())
FIELDS = {item.name: item for item in dataclasses.fields(Experiment)}

# Of these, results do not depend on: where things lie, how many there are, what is made of them.
NOT_BITS = {
    *['data_dir', 'download', 'rounds', 'target_density', 'replicates', 'controls'],
    *['control_rounds', 'threads', 'label', 'workdir', 'export', 'margin', 'dry_run'],
    *['tensorboard', 'report'],
}
BITS = {
    *['model', 'dataset', 'split_seed', 'procedure', 'rate', 'conv_rate', 'output_rate'],
    *['shortcut_rate', 'scope', 'include', 'exclude', 'criterion', 'rounding', 'training_steps'],
    *['batch_size', 'optimizer', 'learning_rate', 'eval_every', 'rewind_step', 'seed', 'engine'],
    *['strategy', 'test_curve'],
}


def changed(name):
    """An experiment that differs in one field; whether the value can be meant is not looked at."""
    value = FIELDS[name].default
    if isinstance(value, str):
        value += 'x'
    elif isinstance(value, tuple):
        value += ('x',)
    elif isinstance(value, bool):
        value = not value
    else:
        value = (value or 0) + 0.25
    experiment = Experiment()
    object.__setattr__(experiment, name, value)
    return experiment


@pytest.mark.parametrize('golden', GOLDENS, ids=lambda golden: golden['fingerprint'])
def test_fingerprints_are_frozen(golden):
    changes = {k: tuple(v) if isinstance(v, list) else v for k, v in golden['changes'].items()}
    assert Experiment(**changes).fingerprint() == golden['fingerprint']


def test_the_goldens_are_told_apart():
    assert len({golden['fingerprint'] for golden in GOLDENS}) == len(GOLDENS) >= 10
    assert GOLDENS[0]['changes'] == {}


@pytest.mark.parametrize('name', FIELDS)
def test_a_field_enters_exactly_if_it_decides_bits(name):
    differs = changed(name).fingerprint() != Experiment().fingerprint()
    assert differs == FIELDS[name].metadata['bits']
    assert (name in Experiment().configuration()) == FIELDS[name].metadata['bits']


def test_which_fields_decide_bits():
    assert {name for name in NOT_BITS if FIELDS[name].metadata['bits']} == set()
    assert {name for name in BITS if not FIELDS[name].metadata['bits']} == set()


def test_no_two_fields_are_mixed_up():
    prints = [changed(name).fingerprint() for name in FIELDS if FIELDS[name].metadata['bits']]
    assert len(set(prints)) == len(prints)


def test_a_default_that_is_written_out_is_the_default():
    written = {name: item.default for name, item in FIELDS.items()}
    assert Experiment(**written).fingerprint() == Experiment().fingerprint()


@pytest.mark.parametrize('name', ['learning_rate', 'rate'])
def test_whole_numbers_and_floats_of_one_value_have_one_name(name):
    value = {'learning_rate': 1, 'rate': 0}[name]
    one, other = Experiment(**{name: value}), Experiment(**{name: float(value)})
    assert one == other
    assert one.fingerprint() == other.fingerprint()


@dataclasses.dataclass(frozen=True)
class Later(Experiment):
    """The configuration of a later release: one more field, with a neutral default."""

    warmup: int = field(0, 'steps of warm-up', low=0)


def forgetful(experiment):
    """Known to be bad: a fingerprint that covers defaults too."""
    return hashlib.sha256(repr(experiment.configuration()).encode()).hexdigest()[:10]


@pytest.mark.parametrize('golden', GOLDENS, ids=lambda golden: golden['fingerprint'])
def test_a_new_field_with_a_neutral_default_keeps_all_names(golden):
    changes = {k: tuple(v) if isinstance(v, list) else v for k, v in golden['changes'].items()}
    before, after = Experiment(**changes), Later(**changes)
    assert after.fingerprint() == before.fingerprint()
    assert Later(**changes, warmup=10).fingerprint() != before.fingerprint()
    assert forgetful(after) != forgetful(before), 'this exam cannot fail'
