"""The table of analyses in the docs, from hand-made files."""

import pytest

from lth_keras import errors
from lth_keras.report.measured import KEPT, measured_table

FILES = {
    'weights.csv': (
        'round,dense_count_survivors,dense_growth_survivors,dense_sign_changed_survivors,'
        'dense_count_pruned,dense_growth_pruned,dense_sign_changed_pruned\n'
        '0,30,0.1,0.5,0,,\n0,10,0.5,0.1,0,,\n3,20,0.2,0.3,20,-0.1,0.6\n'
    ),
    'layers.csv': 'round,size,kept,effective\n0,30,30,30\n0,10,10,10\n3,30,15,9\n3,10,5,3\n',
    'dead_units.csv': (
        'round,weights,units,share\n0,early_stop,8,0.9\n0,final,8,0.25\n3,final,8,0\n'
    ),
    'dead_units_mask.csv': (
        'round,dead_in,pruned,of_pruned,of_all\n3,dense,30,0.5,0.25\n3,dense,10,0.1,0.25\n'
        '3,ticket,40,0.9,0.9\n'
    ),
}


def test_means_are_weighted_by_size(tmp_path):
    (tmp_path / 'analysis').mkdir()
    for name in KEPT:
        (tmp_path / 'analysis' / name).write_text(FILES[name])
    lines = measured_table(tmp_path).split('\n')
    assert lines[2] == '| 0 | 1.000 | 1.000 | 0.2000 |  | 0.400 |  | 0.250 |  |  |'
    assert lines[3] == (
        '| 3 | 0.500 | 0.300 | 0.2000 | -0.1000 | 0.300 | 0.600 | 0.000 | 0.4000 | 0.2500 |'
    )


def test_without_analyses_it_says_what_to_do(tmp_path):
    with pytest.raises(errors.LotteryError, match='run tools/analyse, then tools/record'):
        measured_table(tmp_path)
