"""The tables in README and docs are those of the committed records."""

import json
import pathlib
import subprocess
import sys

import pytest

from lth_keras import errors
from lth_keras.report import markdown

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROW = {
    'replicate': 0,
    'round': 0,
    'variant': 'ticket',
    'draw': 0,
    'density': 1.0,
    'validation_loss': 0.1,
    'validation_accuracy': 0.97,
    'test_accuracy': 0.98,
    'final_test_accuracy': 0.975,
    'early_stop_step': 4300,
}
RECORD = {
    'format': markdown.FORMAT,
    'version': 1,
    'configuration': {'margin': 0.01},
    'command': 'python -m experiments.run --rounds=1',
    'commit': '0123abcd',
    'rows': [ROW, {**ROW, 'round': 1, 'density': 0.8, 'test_accuracy': 0.985}],
}


def docs(*arguments):
    command = [sys.executable, str(ROOT / 'tools' / 'docs'), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path):
    """A checkout with one record and two pages."""
    (tmp_path / 'docs' / 'records' / 'small').mkdir(parents=True)
    path = tmp_path / 'docs' / 'records' / 'small' / 'records.json'
    path.write_text(json.dumps(RECORD))
    block = '<!-- table:small -->\n<!-- /table:small -->\n'
    (tmp_path / 'README.md').write_text(f'# Title\n\n{block}\nThe end; `<!-- table:no -->`.\n')
    (tmp_path / 'docs' / 'more.md').write_text(f'{block}')
    return tmp_path


def test_this_checkout_is_fresh():
    found = docs('--check')
    assert found.returncode == 0, found.stdout + found.stderr


def test_stale_blocks_are_named_then_written_then_fresh(tree):
    before = (tree / 'README.md').read_text()
    found = docs('--check', '--root', tree)
    assert found.returncode == 1
    for name in ('README.md: table:small', 'docs/more.md: table:small', 'small/result.png'):
        assert name in found.stdout
    assert (tree / 'README.md').read_text() == before
    assert docs('--write', '--root', tree).returncode == 0
    text = (tree / 'README.md').read_text()
    assert '| 1 | 0.800 | undecided | 0.9850 | 4300 | 0.9750 |' in text
    assert '0123abcd' in text and RECORD['command'] in text
    assert text.startswith('# Title\n') and text.endswith('The end; `<!-- table:no -->`.\n')
    assert docs('--check', '--root', tree).returncode == 0
    assert markdown.update(tree, write=True) == []


def test_an_edited_number_is_stale(tree):
    markdown.update(tree, write=True)
    page = tree / 'docs' / 'more.md'
    page.write_text(page.read_text().replace('0.9850', '0.9950'))
    assert markdown.update(tree, write=False) == ['docs/more.md: table:small']


def test_a_changed_record_is_stale(tree):
    markdown.update(tree, write=True)
    path = tree / 'docs' / 'records' / 'small' / 'records.json'
    path.write_text(json.dumps({**RECORD, 'commit': 'ffff'}))
    assert len(markdown.update(tree, write=False)) == 2


def test_a_figure_is_checked_for_existence_only(tree):
    markdown.update(tree, write=True)
    figure = tree / 'docs' / 'records' / 'small' / 'result.png'
    figure.write_bytes(b'drawn by another version')
    assert markdown.update(tree, write=False) == []
    figure.unlink()
    assert markdown.update(tree, write=False) == ['docs/records/small/result.png']


def test_an_unknown_name_is_an_error(tree):
    (tree / 'README.md').write_text('<!-- table:smal -->\n<!-- /table:smal -->\n')
    found = docs('--check', '--root', tree)
    assert found.returncode == 2
    assert 'README.md: expected docs/records/smal/records.json' in found.stderr
    assert "did you mean 'small'?" in found.stderr


def test_a_tree_without_pages_is_fresh(tmp_path):
    assert markdown.update(tmp_path, write=False) == []


@pytest.mark.parametrize(
    'page',
    [
        '<!-- table:a -->\n',
        '<!-- /table:a -->\n',
        '<!-- table:a -->\n<!-- /table:b -->\n',
        '<!-- table:a -->\n<!-- table:a -->\n<!-- /table:a -->\n',
    ],
)
def test_broken_markers(page):
    with pytest.raises(errors.LotteryError, match='expected'):
        markdown.fill(page, lambda name: 'x\n')


@pytest.mark.parametrize(
    'content',
    ['{', '[]', '{}', json.dumps({**RECORD, 'version': 2}), json.dumps({**RECORD, 'rows': []})],
)
def test_a_broken_record_is_an_error(tree, content):
    (tree / 'docs' / 'records' / 'small' / 'records.json').write_text(content)
    with pytest.raises(errors.StoreError, match='small'):
        markdown.update(tree, write=False)


def test_the_margin_is_that_of_the_run():
    ticket = {'round': 1, 'density': 0.8, 'test_accuracy': 0.973, 'early_stop_step': 4000}
    reinit = {**ticket, 'variant': 'reinit', 'test_accuracy': 0.9}
    cells = [ROW, {**ROW, **ticket}, {**ROW, **reinit}]
    rows = [{**cell, 'replicate': r} for cell in cells for r in (0, 1)]
    block = markdown.record_block({**RECORD, 'rows': rows})
    assert '| winning |' in block
    strict = {**RECORD, 'rows': rows, 'configuration': {'margin': 0.001}}
    assert '| not winning |' in markdown.record_block(strict)
