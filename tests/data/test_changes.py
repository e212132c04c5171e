"""Subsets, label noise and normalisation: of arrays, and as a laboratory applies them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras import data, errors, finding, keys, schedules, stages
from lth_keras.data import changes
from lth_keras.data.base import PARTS
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.rewind import Snapshot
from lth_keras.store import Store, stage_key
from tests import nets

examples = settings(database=None, deadline=None, derandomize=True, max_examples=60)
BASE = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'training_steps': 4},
    **{'batch_size': 10, 'eval_every': 2, 'replicates': 1, 'engine': 'plain', 'controls': ()},
}
CHANGED = [
    {'train_examples': 30},
    {'test_examples': 7},
    {'label_noise': 0.25},
    {'normalisation': 'per_channel'},
]


def laboratory(given=None, **options):
    return Laboratory(Experiment(**BASE | options), nets.dense, given or nets.data())


def images(shape=(5, 4, 3), sizes=(30, 12, 9), seed=0):
    """Random images whose channels have means and deviations of their own, per part too."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, size in enumerate(sizes):
        x = rng.normal(size=(size, *shape)) * np.arange(1, shape[-1] + 1) + number
        x += 10 * np.arange(shape[-1])
        parts.append((x.astype(np.float32), rng.integers(4, size=size).astype(np.int32)))
    return data.Data('images', *parts, 4)


def copied(given):
    return {part: [np.array(a) for a in getattr(given, part)] for part in PARTS}


def equal(given, arrays):
    return all(
        nets.bits(now) == nets.bits(then)
        for part in PARTS
        for now, then in zip(getattr(given, part), arrays[part], strict=True)
    )


def dense_key(lab):
    inputs = keys.training_inputs(lab, lab.initial(0), lab.dense, 0, 0, None)
    return stage_key(stages.TRAIN, inputs)


# -- label noise


noises = st.fixed_dictionaries(
    {
        'count': st.integers(1, 300),
        'share': st.floats(0, 0.999),
        'classes': st.integers(2, 12),
        'seed': st.integers(0, 2**31 - 1),
    }
)


@examples
@given(noises)
def test_symmetric_flips_exactly_the_share(drawn):
    labels = np.arange(drawn['count'], dtype=np.int32) % drawn['classes']
    found = changes.symmetric(labels, drawn['share'], drawn['classes'], drawn['seed'])
    assert np.count_nonzero(found != labels) == round(drawn['share'] * drawn['count'])
    assert found.dtype == labels.dtype
    assert found.min() >= 0 and found.max() < drawn['classes']


@examples
@given(noises)
def test_redraw_flips_no_more_than_the_share(drawn):
    labels = np.arange(drawn['count'], dtype=np.int32) % drawn['classes']
    found = changes.redraw(labels, drawn['share'], drawn['classes'], drawn['seed'])
    assert np.count_nonzero(found != labels) <= round(drawn['share'] * drawn['count'])
    assert found.dtype == labels.dtype
    assert found.min() >= 0 and found.max() < drawn['classes']


@examples
@given(noises)
def test_redraw_chooses_exactly_the_share(drawn):
    """Labels that no draw can give show who was chosen."""
    labels = np.full(drawn['count'], drawn['classes'], np.int32)
    found = changes.redraw(labels, drawn['share'], drawn['classes'], drawn['seed'])
    chosen = np.count_nonzero(found != labels)
    assert chosen == round(drawn['share'] * drawn['count'])


@pytest.mark.parametrize('classes', [2, 3, 10])
@pytest.mark.parametrize('share', [0.2, 0.7])
def test_redraw_keeps_one_in_as_many_as_there_are_classes(classes, share):
    labels = np.arange(50_000, dtype=np.int32) % classes
    flipped = np.mean(changes.redraw(labels, share, classes, 1) != labels)
    expected = share * (1 - 1 / classes)
    assert abs(flipped - expected) < 4 * (share / 4 / 50_000) ** 0.5


@pytest.mark.parametrize('kind', changes.LABEL_NOISES)
def test_all_classes_are_reached_about_equally(kind):
    noise, labels = changes.LABEL_NOISES[kind], np.full(20_000, 3, np.int32)
    found = np.bincount(noise(labels, 0.5, 5, 0), minlength=5)
    others = np.delete(found, 3)
    assert np.all(np.abs(others - others.mean()) < 5 * others.mean() ** 0.5)
    assert others.mean() == pytest.approx(2500 if kind == 'symmetric' else 2000, rel=0.03)


@pytest.mark.parametrize('kind', changes.LABEL_NOISES)
def test_labels_given_are_not_changed_and_seeds_decide(kind):
    noise, labels = changes.LABEL_NOISES[kind], np.arange(200, dtype=np.int32) % 4
    labels.flags.writeable = False
    before = labels.copy()
    one = noise(labels, 0.3, 4, 5)
    assert np.array_equal(labels, before)
    assert np.array_equal(one, noise(labels, 0.3, 4, 5))
    assert not np.array_equal(one, noise(labels, 0.3, 4, 6))
    assert not np.shares_memory(one, labels)


@pytest.mark.parametrize('kind', changes.LABEL_NOISES)
def test_more_noise_changes_the_same_examples_and_others(kind):
    noise, labels = changes.LABEL_NOISES[kind], np.full(400, 9, np.int32)
    few, many = (np.flatnonzero(noise(labels, share, 9, 2) != 9) for share in (0.1, 0.3))
    assert set(few) < set(many)


@pytest.mark.parametrize('kind', changes.LABEL_NOISES)
def test_only_labels_of_the_training_part_change(kind):
    source = images(sizes=(200, 40, 40))
    before = copied(source)
    made = changes.noisy(source, 0.5, kind, 0)
    assert equal(source, before)
    assert np.any(made.train[1] != source.train[1])
    assert made.train[1].dtype == np.int32
    assert nets.bits(made.train[0]) == nets.bits(source.train[0])
    for part in ('validation', 'test'):
        assert equal(dataclasses.replace(made, train=source.train), before), part
    assert changes.noisy(source, 0.5, kind, 0).digest == made.digest
    assert changes.noisy(source, 0.5, kind, 1).digest != made.digest


def test_no_noise_is_the_very_same_data():
    source = images()
    assert changes.noisy(source, 0.0, 'redraw', 0) is source


def test_a_share_below_half_an_example_changes_nothing():
    source = images()
    assert changes.noisy(source, 0.01, 'symmetric', 0).digest == source.digest


# -- normalisation


def test_statistics_are_those_of_the_training_part_alone():
    source = images()
    before = copied(source)
    made = changes.per_channel(source)
    assert equal(source, before)
    x = source.train[0].astype(np.float64)
    for channel in range(3):
        values = x[..., channel].ravel()
        mean, deviation = sum(values) / len(values), np.sqrt(np.mean((values - values.mean()) ** 2))
        for part in PARTS:
            expected = (getattr(source, part)[0][..., channel] - mean) / deviation
            found = getattr(made, part)[0][..., channel]
            assert np.allclose(found, expected, atol=1e-5), part
    assert np.allclose(made.train[0].mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(made.train[0].std((0, 1, 2)), 1, atol=1e-5)
    assert abs(made.test[0].mean()) > 0.5  # shifted in `images`: it has no statistics of its own


@pytest.mark.parametrize('shape', [(6,), (8, 8, 1), (4, 4, 3)])
def test_normalised_inputs_stay_float32_and_labels_as_they_were(shape):
    source = images(shape)
    made = changes.per_channel(source)
    for part in PARTS:
        x, y = getattr(made, part)
        assert x.dtype == np.float32 and x.shape == getattr(source, part)[0].shape
        assert nets.bits(y) == nets.bits(getattr(source, part)[1])
    assert (made.name, made.classes) == (source.name, source.classes)


@pytest.mark.parametrize('value', [0.0, 0.1, 1 / 3, 255.0])
def test_a_constant_channel_is_an_error(value):
    source = images(sizes=(31, 12, 9))
    source.train[0][..., 1] = value
    with pytest.raises(errors.DataError, match='images: expected every channel to vary.*leave'):
        changes.per_channel(source)


def test_a_channel_that_is_constant_elsewhere_is_not():
    source = images()
    source.test[0][..., 1] = 7.0
    assert np.all(np.isfinite(changes.per_channel(source).test[0]))


def test_none_is_the_very_same_data():
    source = images()
    assert changes.none(source) is source


# -- subsets


@examples
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.integers(0, 9))
def test_counts_are_exact_and_larger_subsets_contain_smaller_ones(one, other, test, seed):
    source = images((2,))
    small, large = (changes.subset(source, count, test, seed) for count in sorted((one, other)))
    assert len(small.train[1]) == len(small.train[0]) == min(one, other)
    assert len(large.train[1]) == max(one, other)
    assert len(small.test[1]) == len(small.test[0]) == test
    assert set(map(bytes, small.train[0])) <= set(map(bytes, large.train[0]))
    assert nets.bits(small.validation[0]) == nets.bits(source.validation[0])


@examples
@given(st.integers(1, 30), st.integers(0, 99))
def test_a_subset_keeps_order_and_labels(count, seed):
    source = images((2,))
    before = copied(source)
    made = changes.subset(source, count, None, seed)
    places = [int(np.flatnonzero((source.train[0] == x).all(1))[0]) for x in made.train[0]]
    assert places == sorted(places) and len(set(places)) == count
    assert np.array_equal(made.train[1], source.train[1][places])
    assert equal(source, before)
    assert nets.bits(made.test[0]) == nets.bits(source.test[0])


def test_the_seed_of_the_split_draws_the_subset():
    source = images()
    one, same, other = (changes.subset(source, 10, None, seed).digest for seed in (0, 0, 1))
    assert one == same != other
    everything = changes.subset(source, 30, 9, 0)
    assert everything.digest == source.digest


@pytest.mark.parametrize(
    ('counts', 'text'),
    [
        ((31, None), 'images: expected --train_examples between 1 and 30, received 31'),
        ((0, None), '--train_examples between 1 and 30, received 0'),
        ((None, 10), '--test_examples between 1 and 9, received 10'),
    ],
)
def test_more_examples_than_there_are(counts, text):
    with pytest.raises(errors.DataError, match=text):
        changes.subset(images(), *counts, 0)


# -- as an experiment asks for them


def test_defaults_leave_data_and_stages_as_they_were():
    lab, source = laboratory(), nets.data()
    assert lab.data.digest == source.digest
    named = Laboratory(Experiment(**BASE | {'dataset': 'digits', 'model': 'lenet_300_100'}))
    assert named.data.digest == data.load('digits').digest


@pytest.mark.parametrize('options', CHANGED, ids=str)
def test_every_change_makes_other_data_stages_and_runs(options):
    plain, made = laboratory(), laboratory(**options)
    assert made.data.digest != plain.data.digest
    assert made.digests['data'] == made.data.digest
    assert made.fingerprint != plain.fingerprint
    assert dense_key(made) != dense_key(plain)
    assert dense_key(made) == dense_key(laboratory(**options))


@pytest.mark.parametrize(
    'options', [{'train_examples': 30}, {'test_examples': 7}, {'label_noise': 0.25}], ids=str
)
def test_draws_are_of_the_split_seed_and_not_of_the_replicates(options):
    one = laboratory(**options)
    assert laboratory(**options, seed=1).data.digest == one.data.digest
    assert laboratory(**options, split_seed=1).data.digest != one.data.digest


def test_the_kind_of_noise_makes_other_labels():
    one, other = (laboratory(label_noise=0.5, label_noise_kind=k) for k in changes.LABEL_NOISES)
    assert one.data.digest != other.data.digest


def test_noise_is_in_the_subset_and_statistics_are_of_the_subset():
    lab = laboratory(
        nets.data(sizes=(400, 20, 20)),
        train_examples=100,
        label_noise=0.3,
        label_noise_kind='symmetric',
        normalisation='per_channel',
    )
    cut = laboratory(nets.data(sizes=(400, 20, 20)), train_examples=100)
    assert np.count_nonzero(lab.data.train[1] != cut.data.train[1]) == 30
    assert np.allclose(lab.data.train[0].mean(0), 0, atol=1e-5)
    assert np.allclose(lab.data.train[0].std(0), 1, atol=1e-4)


def test_validation_examples_are_held_out_of_a_named_data_set():
    options = BASE | {'dataset': 'digits', 'model': 'lenet_300_100'}
    lab = Laboratory(Experiment(**options, validation_examples=100, train_examples=200))
    assert [len(getattr(lab.data, part)[1]) for part in PARTS] == [200, 100, 297]


def test_validation_examples_beside_a_validation_part_are_refused(tmp_path):
    train, held, test = (nets.examples(count=count, seed=count) for count in (40, 20, 21))
    options = {k: v for k, v in BASE.items() if k not in ('model', 'dataset')}
    options |= {'validation_examples': 5, 'rounds': 0, 'export': (), 'workdir': str(tmp_path)}
    with pytest.raises(errors.ConfigError):
        finding.find_tickets(nets.dense, train, test, held, quiet=True, **options)


def test_a_kind_of_noise_without_noise_is_refused_or_says_nothing():
    try:
        made = laboratory(label_noise_kind='symmetric')
    except errors.ConfigError:
        return
    assert made.fingerprint == laboratory().fingerprint


def test_a_ticket_says_how_its_inputs_were_normalised(tmp_path):
    lab = laboratory(normalisation='per_channel')
    mean, deviation = lab.data.normalised['mean'], lab.data.normalised['deviation']
    x = laboratory().data.train[0].astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    assert np.allclose(mean, x.mean(axes)) and np.allclose(deviation, x.std(axes))
    plan = schedules.RoundPlan(0, 0, (), lab.dense.kept, lab.dense.size)
    made = stages.Stages(lab, Store(tmp_path), Progress(0, quiet=True), 0, 0)
    ticket = made.ticket(lab.dense, Snapshot(0, lab.initial(0)), plan)
    assert ticket.provenance['normalised'] == {'mean': mean, 'deviation': deviation}
    assert laboratory().data.normalised is None
