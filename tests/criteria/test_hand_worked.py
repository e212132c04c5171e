"""Each criterion on about ten weights, worked by hand: `<name>.json` beside this file.

A row of a table is one weight: its evidence (the columns are what the criterion declares to need),
its score, and whether it is kept when the `rate` of them goes. That the exam has a table for every
registered criterion is checked in tests/conformance.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from lth_keras.allocation import fraction, removals, remove
from lth_keras.criteria import CRITERIA, Evidence
from lth_keras.mask import Mask

TABLES = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob('*.json')}


def columns(table):
    return dict(zip(table['columns'], zip(*table['rows'], strict=True), strict=True))


@pytest.fixture(params=sorted(TABLES))
def name(request):
    if request.param not in CRITERIA:
        pytest.fail(f'{request.param}.json belongs to no registered criterion')
    return request.param


def scored(name, shape):
    given = columns(TABLES[name])
    evidence = {
        kind: {'dense/kernel': np.array(given[kind], np.float32).reshape(shape)}
        for kind in CRITERIA[name].needs
    }
    return CRITERIA[name](Evidence(**evidence))


def test_a_table_is_worth_its_name(name):
    table, given = TABLES[name], columns(TABLES[name])
    assert table['about'].endswith('.')
    assert set(given) == {*CRITERIA[name].needs, 'score', 'kept'}
    assert len(table['rows']) >= 10
    assert len(set(given['score'])) > len(table['rows']) / 2
    removed = given['kept'].count(False)
    assert removed == round(fraction(table['rate']) * len(table['rows'])) > 0
    evidence = [value for kind in CRITERIA[name].needs for value in given[kind]]
    assert min(evidence) < 0 < max(evidence) and 0 in evidence


@pytest.mark.parametrize('shape', [(-1,), (5, -1)])
def test_scores(name, shape):
    score = scored(name, shape)['dense/kernel']
    assert score.reshape(-1).tolist() == list(columns(TABLES[name])['score'])


def test_who_stays(name):
    score = scored(name, (-1,))
    mask = Mask.ones({'dense/kernel': score['dense/kernel'].shape})
    pools = removals(mask.survivors, {'dense/kernel': TABLES[name]['rate']})
    after = remove(score, mask, pools)
    assert after['dense/kernel'].tolist() == list(columns(TABLES[name])['kept'])
