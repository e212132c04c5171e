"""The configuration: every value that cannot be meant is refused by name, before anything runs."""

import dataclasses
import math

import pytest

from lth_keras import errors
from lth_keras.experiment import Experiment, seeds_of
from lth_keras.registry import Registry

FIELDS = {item.name: item for item in dataclasses.fields(Experiment)}
CHOICES = {name: item.metadata['known'] for name, item in FIELDS.items() if item.metadata['known']}
RANGES = {
    name: item.metadata
    for name, item in FIELDS.items()
    if item.metadata['low'] is not None or item.metadata['high'] is not None
}


def given(name, value):
    """The field's value, in a tuple if it holds several."""
    return (value,) if isinstance(FIELDS[name].default, tuple) else value


# What a value needs beside it to make sense.
NEEDS = {
    ('transfer_from', 'digits'): {'dataset': 'mnist'},
    ('label_noise_kind', 'symmetric'): {'label_noise': 0.1},
    ('stop_rule', 'accuracy_floor'): {'stop_floor': 0.5},
    ('learning_rate_schedule', 'piecewise'): {'learning_rate_boundaries': (1000,)},
}
BESIDE = {
    'only_rounds': {'procedure': 'one_shot'},
    'momentum': {'optimizer': 'momentum'},
    'stop_floor': {'stop_rule': 'accuracy_floor'},
    'learning_rate_boundaries': {'learning_rate_schedule': 'piecewise'},
    'training_steps': {'rewind_step': 0, 'eval_every': 1},
}


def refused(match, **changes):
    with pytest.raises(errors.ConfigError, match=match) as raised:
        Experiment(**changes)
    return str(raised.value)


def test_the_defaults_are_valid_and_frozen():
    experiment = Experiment()
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.rate = 0.3


def test_the_defaults_are_those_of_the_paper_for_lenet():
    experiment = Experiment()
    assert (experiment.rate, experiment.output_rate, experiment.scope) == (0.2, None, 'layerwise')
    assert (experiment.batch_size, experiment.learning_rate) == (60, 1.2e-3)
    assert (experiment.optimizer, experiment.criterion) == ('adam', 'large_final')
    assert (experiment.procedure, experiment.rewind_step) == ('resetting', 0)
    assert experiment.eval_every == 100


@pytest.mark.parametrize('name', FIELDS)
def test_every_field_says_what_it_means(name):
    text = FIELDS[name].metadata['help']
    assert text and text == text.strip() and '\n' not in text
    assert '%' not in text, 'fractions are never percent'


# -- names


@pytest.mark.parametrize('name', CHOICES)
def test_a_mistyped_name_is_refused_with_field_and_nearest(name):
    for meant in CHOICES[name]:
        typo = meant + 'x'  # nearer to this name than to one that differs in a letter
        text = refused(f'^{name}: unknown', **{name: given(name, typo)})
        assert repr(typo) in text
        assert f"did you mean '{meant}'?" in text


@pytest.mark.parametrize('name', CHOICES)
def test_every_known_name_is_accepted(name):
    for value in CHOICES[name]:
        experiment = Experiment(**{name: given(name, value)}, **NEEDS.get((name, value), {}))
        assert getattr(experiment, name) == given(name, value)


@pytest.mark.parametrize('name', CHOICES)
@pytest.mark.parametrize('value', ['', 'zzz', 'ADAM ', None])
def test_what_is_no_name_at_all_is_refused(name, value):
    text = refused(f'^{name}: unknown', **{name: given(name, value)})
    assert all(known in text for known in CHOICES[name])


def test_own_functions_are_named_where_they_are_allowed():
    own = Experiment(model='my.package:build', dataset='my.package:load')
    assert own.name() == 'build-load-resetting'
    refused("^optimizer: unknown optimizer 'my.package:make'", optimizer='my.package:make')
    refused("^criterion: unknown criterion 'my.package:score'", criterion='my.package:score')


def test_choices_are_the_registries_themselves():
    # Flag values, help and lookup follow from them; a second list would be forgotten.
    assert {name for name, known in CHOICES.items() if isinstance(known, Registry)} >= {
        'model',
        'dataset',
        'procedure',
        'criterion',
        'rounding',
        'optimizer',
        'controls',
        'strategy',
    }


# -- ranges


def numbers_outside(metadata):
    low, high, opened = metadata['low'], metadata['high'], metadata['open']
    values = [math.nan, -math.inf]
    if low is not None:
        values += [low - 1, low - 1e-9] + ([low] if opened else [])
    if high is not None:
        values += [high, high + 1e-9, 20, math.inf]
    return values


@pytest.mark.parametrize('name', RANGES)
def test_a_number_outside_its_range_is_refused_with_field_range_and_value(name):
    for value in numbers_outside(RANGES[name]):
        text = refused(f'^{name}: expected a number', **{name: given(name, value)})
        assert text.endswith(f'received {value}')
        assert f'{RANGES[name]["low"]:g}' in text


@pytest.mark.parametrize('name', RANGES)
def test_the_ends_of_a_range(name):
    metadata = RANGES[name]
    low, high = metadata['low'], metadata['high']
    inside = [low + 1e-9] if metadata['open'] else [low]
    inside += [high - 1e-9] if high is not None else []
    for value in inside:
        if isinstance(FIELDS[name].default, int) and value != int(value):
            continue
        if name == 'stop_floor' and not value:
            continue  # no floor at all
        Experiment(**{name: given(name, value), **BESIDE.get(name, {})})


@pytest.mark.parametrize('name', ['rate', 'conv_rate', 'output_rate', 'shortcut_rate', 'margin'])
@pytest.mark.parametrize('percent', [1, 1.0, 10, 20, 100])
def test_percent_is_refused(name, percent):
    assert 'in [0, 1)' in refused(f'^{name}:', **{name: percent})


@pytest.mark.parametrize('target', [0, 0.0, 1, 3.6, -0.1, math.nan])
def test_target_density_excludes_both_ends(target):
    assert 'in (0, 1)' in refused('^target_density:', target_density=target)


def test_one_bad_entry_of_several_is_found():
    refused(r'^control_rounds: .* received 0', control_rounds=(1, 0, 3))
    refused(r"^controls: unknown control 'reint'", controls=('reinit', 'reint'))
    refused(r"^export: .*received 'x'", export=('1', 'x'))


def test_an_infinite_learning_rate_is_refused():
    refused('^learning_rate: ', learning_rate=math.inf)


def test_rewind_step_lies_before_the_end():
    Experiment(training_steps=100, rewind_step=99)
    for step in (100, 101):
        text = refused('^rewind_step: ', training_steps=100, rewind_step=step)
        assert '(100)' in text and text.endswith(f'received {step}')


@pytest.mark.parametrize('value', ['smallest_matching', 'none', '0', '7', '12'])
def test_exports_that_can_be_meant(value):
    assert Experiment(export=(value,)).export == (value,)


@pytest.mark.parametrize('value', ['', '-1', '1.5', 'all', 'smallest', 'None'])
def test_exports_that_cannot(value):
    text = refused('^export: expected round numbers, smallest_matching or none', export=(value,))
    assert repr(value) in text


# -- types: what the command line cannot produce but Python can


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('rounds', '3'),
        ('rounds', 2.5),
        ('rounds', None),
        ('seed', 1.5),
        ('batch_size', None),
        ('batch_size', 60.5),
        ('training_steps', 'many'),
        ('rewind_step', None),
        ('rate', None),
        ('rate', '0.2'),
        ('learning_rate', '1e-3'),
        ('controls', 'reinit'),
        ('control_rounds', 3),
        ('export', 'none'),
        ('criterion', len),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_or_made_the_right_one(name, value):
    try:
        experiment = Experiment(**{name: value})
    except errors.ConfigError as e:
        assert str(e).startswith(f'{name}: ')
        return
    expected = {tuple: ((value,),), int: (), float: (0.2, 1e-3)}.get(type(FIELDS[name].default), ())
    assert getattr(experiment, name) in expected, f'{value!r} was taken as it is'
    assert type(getattr(experiment, name)) is type(FIELDS[name].default)


@pytest.mark.parametrize(
    ('name', 'value'), [('controls', ['reinit']), ('control_rounds', [3]), ('export', ['7'])]
)
def test_a_list_is_taken_for_a_tuple_or_refused_by_name(name, value):
    try:
        experiment = Experiment(**{name: value})
    except errors.ConfigError as e:
        assert str(e).startswith(f'{name}: ')
        return
    assert getattr(experiment, name) == tuple(value)


# -- names and seeds


def test_the_name_of_a_run():
    assert Experiment().name() == 'lenet_300_100-digits-resetting'
    assert Experiment(label='mine').name() == 'mine'


def test_replicates_count_up_from_the_first_seed():
    assert seeds_of(Experiment(seed=4, replicates=3)) == [4, 5, 6]
    # More replicates keep the seeds of the first ones; so do other splits.
    assert seeds_of(Experiment(seed=4, replicates=5, split_seed=9))[:3] == [4, 5, 6]


def test_the_split_has_a_seed_of_its_own():
    assert {Experiment(seed=seed).split_seed for seed in range(3)} == {0}
    assert Experiment(split_seed=1).fingerprint() != Experiment().fingerprint()
