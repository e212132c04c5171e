"""tools/record: what becomes of the replicates that are recorded already."""

import importlib.machinery
import importlib.util
import pathlib

import pytest

from lth_keras import digests, errors

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def record():
    loader = importlib.machinery.SourceFileLoader('record', str(ROOT / 'tools' / 'record'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('record', loader))
    loader.exec_module(module)
    return module


def made(*replicates, commit='new', fingerprint='f', data='d', **more):
    rows = [{'replicate': r, 'round': n, 'by': commit} for r in replicates for n in (0, 1)]
    return {
        **{'rows': rows, 'commit': commit, 'command': 'tools/lottery --rate=0.3 --replicates=1'},
        **{'configuration': {'fingerprint': fingerprint, 'margin': 0.005}},
        **{'identity': {'digests': {'data': data, 'model': 'm'}}, **more},
    }


def test_replicates_are_added_and_each_keeps_its_commit(record):
    one = record.merged({}, made(0, commit='a'))
    both = record.merged(one, made(2, commit='b'))
    assert [(r['replicate'], r['by']) for r in both['rows'][::2]] == [(0, 'a'), (2, 'b')]
    assert both['commits'] == {'0': 'a', '2': 'b'}
    assert both['checksum'] == digests.digest(both['rows'])
    assert both['command'] == 'tools/lottery --rate=0.3 --replicates=3'


def test_a_replicate_that_is_recorded_is_replaced(record):
    both = record.merged(record.merged({}, made(0, 1, commit='a')), made(1, commit='b'))
    assert [row['by'] for row in both['rows']] == ['a', 'a', 'b', 'b']
    assert both['commits'] == {'0': 'a', '1': 'b'}


def test_a_record_without_commits_of_replicates_gets_them(record):
    both = record.merged(made(0, commit='a', note='of old'), made(1, commit='b'))
    assert both['commits'] == {'0': 'a', '1': 'b'} and both['note'] == 'of old'


@pytest.mark.parametrize('change', [{'fingerprint': 'g'}, {'data': 'e'}])
def test_another_search_does_not_take_the_name(record, change):
    with pytest.raises(errors.StoreError, match='choose another name, or pass --replace'):
        record.merged(made(0), made(1, **change))
    assert len(record.merged(made(0), made(1, **change), replace=True)['rows']) == 2


def test_the_command_covers_all_replicates(record):
    given = 'tools/lottery --rate=0.3 --replicates=1 --first_replicate=4'
    assert record.covering(given, {0, 4}) == 'tools/lottery --rate=0.3 --replicates=5'
    assert record.covering(given, {4, 5}).endswith('--first_replicate=4 --replicates=2')
