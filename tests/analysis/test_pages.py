"""The pages name flags, analyses and columns that exist."""

import dataclasses
import re
from pathlib import Path

import pytest

from experiments import analyse as command
from lth_keras import Experiment
from lth_keras.analysis import ANALYSES
from lth_keras.controls import CONTROLS
from lth_keras.procedures import PROCEDURES

ROOT = Path(__file__).resolve().parents[2]
FLAGS = {item.name for item in dataclasses.fields(Experiment)} | {'helpshort'}
FLAGS |= {'only', 'rounds', 'replicates', 'data_dir', 'part'}  # of tools/analyse


@pytest.mark.parametrize('page', ['analysis', 'troubleshooting'])
def test_flags_exist(page):
    text = (ROOT / 'docs' / f'{page}.md').read_text()
    named = set(re.findall(r'--([a-z][a-z_]*)', text))
    assert len(named) > 3 and named <= FLAGS
    for value in re.findall(r'--only=([a-z_,]+)', text):
        assert set(value.split(',')) <= set(ANALYSES)
    for value in re.findall(r'--controls=([a-z_,]+)', text):
        assert set(value.split(',')) <= set(CONTROLS)
    for value in re.findall(r'--procedure=([a-z_]+)', text):
        assert value in PROCEDURES
    prose = [line for line in text.splitlines() if not line.startswith('|')]  # tables may be wide
    assert max(map(len, prose)) < 125


def test_every_analysis_has_its_section():
    text = (ROOT / 'docs' / 'analysis.md').read_text()
    for name in ANALYSES:
        assert f'\n## {name}\n' in text and f'| `{name}` |' in text


def test_help_names_every_analysis(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(['--help'])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert all(f'  {name}: ' in out for name in ANALYSES)
