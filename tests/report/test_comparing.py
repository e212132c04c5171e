"""Several runs: what tells them apart, and one table."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from lth_keras.report import comparing
from lth_keras.report.book import Book
from lth_keras.report.published import POINTS, SURE, claims_of, points_of
from tests.report.conftest import make_rows


def book(name='a', **settings):
    record = {'configuration': {'model': 'lenet_300_100', 'dataset': 'mnist', **settings}}
    return Book(name=name, rows=make_rows(rounds=2, controls={'reinit': [2]}), record=record)


def test_runs_are_told_apart_by_what_differs():
    found = comparing.lines([book(criterion='large_final'), book(criterion='random')])
    assert [line.label for line in found] == ['large_final', 'random']
    found = comparing.lines([book(rewind_step=0), book(rewind_step=500)])
    assert [line.label for line in found] == ['rewind_step 0', 'rewind_step 500']
    assert comparing.differing([line.book for line in found]) == {'rewind_step': [0, 500]}


def test_runs_that_differ_in_much_have_their_names():
    found = comparing.lines([book('one', a=1, b=1, c=1), book('two', a=2, b=2, c=2)])
    assert [line.label for line in found] == ['one', 'two']


@given(st.lists(st.sampled_from(['x', 'y']), min_size=1, max_size=5))
def test_labels_are_unique(names):
    found = comparing.lines([book(name) for name in names])
    assert len({line.label for line in found}) == len(names)


def test_the_table():
    several = comparing.lines([book('one', seed=1), book('two', seed=2)])
    one, two = comparing.table(several)
    assert (one['run'], one['replicates'], one['trainings'], one['seed']) == ('seed 1', 3, 12, 1)
    assert two['seed'] == 2 and one['smallest winning density'] is not None
    assert one['dense test accuracy'] == several[0].book.dense.test_accuracy.mean
    empty = dataclasses.replace(several[0].book, rows=[])
    assert comparing.table(comparing.lines([empty]))[0]['dense test accuracy'] is None


def test_settings_that_an_older_version_does_not_know():
    assert comparing.differing([book(), book(new=3)]) == {'new': [None, 3]}


def test_published_points_say_how_sure_they_are():
    for points in POINTS.values():
        for point in points:
            assert point.sure in SURE and 0 < point.density <= 1
    assert points_of({'model': 'lenet_300_100', 'dataset': 'digits'}) == ()
    usual = {'model': 'lenet_300_100', 'dataset': 'mnist'}
    assert points_of({**usual, 'criterion': 'random'}) == ()


def test_claims_follow_the_name_of_the_recipe_or_the_network():
    usual = {'model': 'lenet_300_100', 'dataset': 'mnist'}
    assert len(claims_of(usual, 'lenet_300_100-mnist-resetting-0123456789')) == 7
    assert [c.against for c in claims_of(usual, 'lenet_controls')][:2] == ['random_sparse'] * 2
    assert all(not c.record for c in claims_of(usual, 'lenet_one_shot'))
    assert claims_of({'model': 'mlp', 'dataset': 'digits'}, 'x') == ()
    conv = claims_of({'model': 'conv_2', 'dataset': 'cifar10'}, 'anything-0123456789')
    assert all('Conv-2' in claim.text for claim in conv) and conv
