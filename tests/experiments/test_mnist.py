"""The main job on real MNIST: the data and the recipe briefly, the paper's pattern at length."""

import pytest

import lth_keras as lth


def by_place(found):
    return {(row['round'], row['variant']): row for row in found.rows}


def test_a_short_search_on_real_images(mnist_dir, tmp_path):
    experiment = lth.Experiment(
        dataset='mnist',
        data_dir=str(mnist_dir),
        training_steps=300,
        rounds=1,
        replicates=1,
        workdir=str(tmp_path),
        export=('1',),
    )
    found = lth.find(experiment, quiet=True)
    rows = by_place(found)
    layers = rows[1, 'ticket']['layers']
    assert [layer['kept'] for layer in layers.values()] == [188160, 24000, 900]
    assert rows[1, 'reinit']['layers'] == layers
    assert rows[0, 'ticket']['test_accuracy'] > 0.9 and rows[1, 'ticket']['test_accuracy'] > 0.9
    assert found.ticket().model().count_params() == 266_610


@pytest.mark.slow
def test_the_pattern_of_the_paper(mnist_dir, tmp_path):
    """One seed of the reduced recipe; the gates are those that one seed can hold."""
    experiment = lth.Experiment(
        dataset='mnist',
        data_dir=str(mnist_dir),
        training_steps=12_000,
        rounds=9,
        replicates=1,
        control_rounds=(7, 9),
        workdir=str(tmp_path),
    )
    rows = by_place(lth.find(experiment, quiet=True))
    dense, r7, r9 = (rows[number, 'ticket'] for number in (0, 7, 9))
    assert r7['early_stop_step'] < dense['early_stop_step']
    assert rows[7, 'reinit']['early_stop_step'] > 1.5 * r7['early_stop_step']
    assert r9['test_accuracy'] >= dense['test_accuracy'] - 0.003
    assert rows[9, 'reinit']['test_accuracy'] < r9['test_accuracy']
    assert [round(rows[r, 'ticket']['density'], 4) for r in (3, 7, 9)] == [0.5128, 0.2107, 0.1352]
