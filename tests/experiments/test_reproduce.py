"""tools/reproduce: one replicate of a recipe, recorded."""

import json
import subprocess
import sys

import pytest

from experiments import reproduce
from lth_keras import errors

TINY = """# A tiny recipe.
--model=mlp
--hidden=8
--dataset=digits
--training_steps=20
--eval_every=10
--rounds=1
--replicates=3
--controls=reinit
--export=none
"""


def test_the_first_missing_replicate(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, 'RECORDS', tmp_path)
    assert reproduce.missing('none') == 0
    for numbers, first in (((0, 1), 2), ((1, 2), 0), ((0, 2, 3), 1)):
        folder = tmp_path / f'n{first}'
        folder.mkdir()
        record = {'format': 'lth_keras.records', 'version': 1, 'command': 'c', 'commit': 'd'}
        rows = [{'replicate': number} for number in numbers for _ in range(3)]
        (folder / 'records.json').write_text(json.dumps({**record, 'rows': rows}))
        assert reproduce.missing(folder.name) == first


def test_flags_of_the_recipe_come_first_so_that_given_ones_win():
    name, line = reproduce.arguments(['x', 'lenet', '--replicate=4', '--training_steps=9'])
    assert name == 'lenet' and line[0] == 'x'
    assert line[1].startswith('--flagfile=') and line[1].endswith('frankle2019/lenet.txt')
    assert line[2:] == ['--replicate=4', '--training_steps=9']


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        ([], 'expected the name of one recipe, received none; known: .*lenet'),
        (['lenet', 'conv_2'], 'received lenet, conv_2'),
        (['lennet'], "unknown recipe 'lennet': did you mean 'lenet'"),
    ],
)
def test_a_recipe_that_is_none(names, match):
    with pytest.raises(errors.ConfigError, match=match):
        reproduce.arguments(['x', *names])


def test_records_of_a_sweep_have_names_of_their_own():
    assert reproduce.record_name('a', {}) == 'a'
    assert reproduce.record_name('a', {'rate': 0.1, 'width': 2.0}) == 'a-rate-0_1-width-2_0'


def test_the_list_names_every_recipe():
    lines = reproduce.listing().split('\n')
    assert len(lines) == len(list(reproduce.RECIPES.glob('*.txt')))
    assert any(line.startswith('lenet ') and ' 3 recorded' in line for line in lines)


SCRIPT = """
import pathlib, sys
from experiments import reproduce
root = pathlib.Path({root!r})
reproduce.RECIPES = reproduce.RECORDS = root
def record(run, name):
    text = (run / 'records.json').read_text()
    (root / name).mkdir(exist_ok=True)
    text = text.replace('"format"', '"commit": "0", "format"', 1)
    (root / name / 'records.json').write_text(text)
reproduce.record = record
sys.argv = ['reproduce', *{arguments!r}]
reproduce.run()
"""


def reproduced(root, *arguments):
    """The command in a process of its own, with recipes and records below `root`."""
    script = SCRIPT.format(root=str(root), arguments=[*arguments, f'--workdir={root}/work'])
    return subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)


def test_one_replicate_after_the_other(tmp_path):
    (tmp_path / 'tiny.txt').write_text(TINY)
    seeds = []
    for _ in range(2):
        done = reproduced(tmp_path, 'tiny')
        assert done.returncode == 0, done.stderr
        rows = json.loads((tmp_path / 'tiny' / 'records.json').read_text())['rows']
        seeds.append(sorted({(row['replicate'], row['seed']) for row in rows}))
    assert seeds == [[(0, 0)], [(0, 0), (1, 1)]]
    failed = reproduced(tmp_path, 'tyni')
    assert failed.returncode == 2 and failed.stderr.strip().count('\n') == 0
    assert "did you mean 'tiny'" in failed.stderr
