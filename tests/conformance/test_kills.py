"""Promise 5 with real SIGKILLs: whenever the command dies, the same command ends alike."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [
    *[sys.executable, '-m', 'experiments.lottery', '--dataset=digits', '--training_steps=300'],
    *['--eval_every=50', '--rounds=6', '--replicates=2', '--rewind_step=35', '--export=6'],
]
# Not results: durations, where it ran, the lock, and the report, which tells the durations. A
# SavedModel holds a random identifier.
NOT_RESULTS = ('timings.json', 'provenance.json', 'lock', 'report')


def start(workdir: Path, **streams) -> subprocess.Popen:
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen([*COMMAND, f'--workdir={workdir}'], cwd=ROOT, env=env, **streams)


def results(workdir: Path) -> dict[str, str]:
    """Relative path -> digest of every file that holds a result."""
    return {
        str(path.relative_to(workdir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(workdir.rglob('*'))
        if path.is_file()
        and not set(path.parts) & set(NOT_RESULTS)
        and 'saved_model' not in str(path)
    }


def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path):
    undisturbed = start(tmp_path / 'whole', stderr=subprocess.PIPE, text=True)
    assert undisturbed.wait(timeout=120) == 0, undisturbed.stderr.read()

    generator = random.Random(5)
    killed, finished = 0, {}
    while killed < 3:
        process = start(tmp_path / 'killed', stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        # Wait until it works in the store, then a random moment longer.
        stages = tmp_path / 'killed' / 'stages'
        seen = len(finished)
        while process.poll() is None and len(list(stages.glob('train-*'))) <= seen:
            time.sleep(0.01)
        time.sleep(generator.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        # A finished stage is never made again: its directory stays the very same one.
        now = {path.name: path.stat().st_ino for path in stages.iterdir() if path.name[0] != '.'}
        assert {name: now.get(name) for name in finished} == finished
        finished = now
    last = start(tmp_path / 'killed', stderr=subprocess.PIPE, text=True)
    _, said = last.communicate(timeout=120)
    assert last.returncode == 0, said
    assert results(tmp_path / 'killed') == results(tmp_path / 'whole')
    assert len(results(tmp_path / 'whole')) > 50
