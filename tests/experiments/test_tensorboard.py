"""--tensorboard as a user has it: a real process, killed and started again, and one without it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lth_keras import curve, runs

accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')

ROOT = Path(__file__).parents[2]
COMMAND = [
    *[sys.executable, '-m', 'experiments.lottery', '--dataset=digits', '--training_steps=900'],
    *['--eval_every=5', '--rounds=1', '--replicates=1', '--export=none', '--tensorboard'],
    '--noreport',
]


def start(workdir: Path, *flags: str, **environment: str) -> subprocess.Popen:
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
    streams = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    return subprocess.Popen(
        [*COMMAND, *flags, f'--workdir={workdir}'], cwd=ROOT, env=env, **streams
    )


def run_of(workdir: Path) -> Path:
    (run,) = (path for path in workdir.iterdir() if path.name != 'stages')
    return run


def provenance(workdir: Path) -> dict:
    return json.loads((run_of(workdir) / 'provenance.json').read_text())


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    found = accumulator.EventAccumulator(str(folder), {'scalars': 0})
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(tag)]


def test_killed_and_started_again_it_has_every_point_once(tmp_path):
    process = start(tmp_path)
    # In the second training: its folder has some points, its stage is not there.
    half = 'tensorboard/ticket/round-01/replicate-0'
    while process.poll() is None and not list(tmp_path.glob(f'*/{half}/*')):
        time.sleep(0.005)
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    said = provenance(tmp_path)
    assert said['outcome'] == 'running' and said['planned'] == 3 and 'ended' not in said
    # Nobody holds the lock: so a reader tells a killed run from one that is at work.
    with runs._locked(run_of(tmp_path)):
        pass
    assert len(list((tmp_path / 'stages').glob('train-*'))) == 1, 'killed too late'

    again = start(tmp_path)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert provenance(tmp_path)['outcome'] == 'finished' and provenance(tmp_path)['ended']
    rows = json.loads((run_of(tmp_path) / 'records.json').read_text())['rows']
    assert len(rows) == 3
    for row in rows:
        folder = f'tensorboard/{row["variant"]}/round-{row["round"]:02d}/replicate-0'
        text = (tmp_path / 'stages' / row['stage'] / 'curve.csv').read_text()
        for tag in ('validation/loss', 'train/accuracy'):
            column = tag.replace('/', '_')
            expected = [(int(r['step']), np.float32(r[column])) for r in curve.rows(text)]
            expected = [point for point in expected if not np.isnan(point[1])]
            assert scalars(run_of(tmp_path) / folder, tag) == expected
    rounds = scalars(run_of(tmp_path) / 'tensorboard/ticket/rounds/replicate-0', 'rounds/density')
    tickets = [row for row in rows if row['variant'] == 'ticket']
    assert rounds == [(row['round'], np.float32(row['density'])) for row in tickets]


def test_without_the_extra_it_is_one_line_and_nothing_is_written(tmp_path):
    fake = tmp_path / 'fake'
    fake.mkdir()
    (fake / 'tensorboard.py').write_text("raise ModuleNotFoundError('not here')")
    process = start(tmp_path / 'work', PYTHONPATH=f'{fake}{os.pathsep}{ROOT}')
    out, said = process.communicate(timeout=120)
    assert process.returncode == 2 and not out
    assert said.splitlines() == [line for line in said.splitlines() if line.startswith('error: ')]
    assert said.count('\n') == 1 and 'pip install "lth_keras[tensorboard]"' in said
    assert not (tmp_path / 'work').exists()


def test_a_run_that_was_interrupted_says_so(tmp_path):
    process = start(tmp_path, '--rounds=9')
    # In the second training: an interruption of the first one was once lost on a loaded
    # machine, perhaps in a callback, where Python drops exceptions.
    while process.poll() is None and not list(tmp_path.glob('*/tensorboard/ticket/round-01/*')):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    said = provenance(tmp_path)
    assert said['outcome'] == 'interrupted' and said['ended'] >= said['started']
