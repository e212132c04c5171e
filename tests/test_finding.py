"""`find_tickets`: a search in one call, on a model and data of one's own."""

import dataclasses

import numpy as np
import pytest

import lth_keras as lth
from lth_keras._compat import layers, tf_keras


def data(seed: int = 0):
    generator = np.random.default_rng(seed)
    x = generator.random((120, 6), np.float32)
    y = (x.sum(1) / 2).astype(np.int32).clip(0, 2)
    return (x[:90], y[:90]), (x[90:], y[90:])


def narrow():
    return tf_keras.Sequential(
        [layers.Dense(12, activation='relu', input_shape=(6,)), layers.Dense(3)]
    )


def normalised():
    inputs = layers.Input((6,))
    x = layers.Dense(12, activation='relu')(inputs)
    x = layers.BatchNormalization()(layers.Dropout(0.3)(x))
    x = layers.Dense(12)(x) + x
    return tf_keras.Model(inputs, layers.Dense(3, activation='softmax')(x))


SMALL = {
    **{'rounds': 2, 'replicates': 2, 'training_steps': 12, 'batch_size': 20, 'eval_every': 4},
    'report': False,  # tests/report looks at reports
}


def search(build, parts, workdir, **options):
    return lth.find_tickets(build, *parts, quiet=True, workdir=str(workdir), **SMALL | options)


def test_the_exported_ticket_is_told_with_its_verdict(tmp_path):
    found = search(narrow, data(), tmp_path, rounds=1, export=('1',))
    found = dataclasses.replace(found, matching=(1, 0))
    (judged,) = [s.verdict.name for s in found.summaries if s.verdict]
    assert f'matches dense on validation data; verdict: {judged})' in found.describe()
    assert 'verdict:' not in dataclasses.replace(found, matching=None).describe().split('tables')[1]


def test_two_models_two_data_sets_and_other_options_are_runs_of_their_own(tmp_path):
    directories = {
        search(narrow, data(), tmp_path).directory,
        search(normalised, data(), tmp_path).directory,
        search(narrow, data(1), tmp_path).directory,
        search(narrow, data(), tmp_path, rate=0.3).directory,
    }
    assert len(directories) == 4
    again = search(narrow, data(), tmp_path)
    assert again.directory in directories


@pytest.mark.parametrize('scope', ['layerwise', 'global'])
@pytest.mark.parametrize('build', [narrow, normalised], ids=lambda build: build.__name__)
def test_late_rewinding_starts_every_round_at_mask_times_snapshot(build, scope, tmp_path):
    found = search(build, data(), tmp_path, rewind_step=5, scope=scope, export=('1', '2'))
    names = sorted(found.exported)
    first, second = (found.ticket(name) for name in names)
    assert first.snapshot.step == second.snapshot.step == 5
    if names[0][-1] == names[1][-1]:  # the same replicate: the very same snapshot
        for path, value in first.snapshot.weights.items():
            assert np.array_equal(value, second.snapshot.weights[path])
    for ticket in (first, second):
        for path, kept in ticket.mask.items():
            for which in ('start', 'early_stop', 'final'):
                assert not np.any(ticket.weights(which)[path][~kept])
            # What was stored is held too, not only what is handed out.
            assert not np.any(ticket.early_stop[path][~kept])
            assert not np.any(ticket.final[path][~kept])
    kept = [row['density'] for row in found.rows if row['variant'] == 'ticket']
    assert kept[:3] == sorted(kept[:3], reverse=True)


def test_one_shot_meets_a_target_density_in_one_round(tmp_path):
    found = search(narrow, data(), tmp_path, procedure='one_shot', target_density=0.3, controls=())
    (row,) = (row for row in found.rows if row['round'] and row['replicate'] == 0)
    assert sum(layer['kept'] for layer in row['layers'].values()) == round(0.3 * 108)


def test_rounds_replicates_and_controls_that_are_added_keep_what_was_there(tmp_path):
    first = search(narrow, data(), tmp_path, controls=())
    more = search(narrow, data(), tmp_path, rounds=3, replicates=3)
    rows = {(r['replicate'], r['round'], r['variant']): r['stage'] for r in more.rows}
    assert len(rows) == 3 * (4 + 3)
    for row in first.rows:
        assert rows[row['replicate'], row['round'], row['variant']] == row['stage']


def test_a_first_ticket_applies_to_a_second_build(tmp_path):
    found = search(narrow, data(), tmp_path, export=('2',))
    ticket = found.ticket()
    narrow()
    model = ticket.apply(narrow)
    assert lth.read_mask(model) == ticket.mask
    assert list(ticket.mask) == ['dense/kernel', 'dense_1/kernel']


def test_no_matching_ticket_exports_nothing_and_says_so(tmp_path):
    found = search(narrow, data(), tmp_path, export=('none',))
    assert not found.exported and 'none' in found.describe()
    with pytest.raises(lth.ConfigError, match='export a round by number'):
        found.ticket()


def test_an_export_of_a_round_that_was_not_run_is_named(tmp_path):
    with pytest.raises(lth.ConfigError, match='among 0 to 2, received 7'):
        search(narrow, data(), tmp_path, export=('7',))
    assert not list(tmp_path.iterdir())
