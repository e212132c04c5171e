"""Whole searches through the real command, as a child: where their time goes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.benchmarks.machine import ROOT

# One replicate with one control; the export of a ticket and the report are in it.
COMMON = {'model': 'lenet_300_100', 'replicates': 1, 'controls': 'reinit', 'eval_every': 100}
SEARCHES = {
    'digits': {
        **{'dataset': 'digits', 'rounds': 3, 'training_steps': 1000, 'control_rounds': 3},
        **{'learning_rate': 0.004, **COMMON},
    },
    'mnist': {
        **{'dataset': 'mnist', 'rounds': 3, 'training_steps': 5000, 'control_rounds': 3},
        **COMMON,
    },
    # The search of the paper: 16 networks.
    'paper': {
        **{'dataset': 'mnist', 'rounds': 15, 'training_steps': 50_000},
        **{**COMMON, 'controls': 'none'},
    },
}
TIMINGS = 'timings.json'


class Failed(RuntimeError):
    """A search that did not end well."""


def command(flags: Mapping[str, Any], workdir: str) -> list[str]:
    """The search with these flags.

    >>> command({'rounds': 1}, 'w')[1:]
    ['-P', '-m', 'experiments.lottery', '--rounds=1', '--workdir=w']
    """
    given = [f'--{name}={value}' for name, value in flags.items()]
    return [sys.executable, '-P', '-m', 'experiments.lottery', *given, f'--workdir={workdir}']


def run(flags: Mapping[str, Any]) -> dict[str, Any]:
    """One search in a fresh work directory: seconds in all, and of what.

    Raises:
      Failed: the command failed; with what it printed.
    """
    with tempfile.TemporaryDirectory(prefix='benchmark-') as workdir:
        start_up = _seconds([*command({}, workdir), '--helpshort'], (0, 1))
        wall = _seconds(command(flags, workdir), (0,))
        timings: dict[str, Any] = {}
        for path in Path(workdir).glob(f'*/{TIMINGS}'):
            timings |= json.loads(path.read_text())
    flags = {key: value for key, value in flags.items() if key != 'data_dir'}
    return {'flags': flags, 'wall': wall, 'start_up': start_up, **split(timings, wall)}


def _seconds(arguments: list[str], expected: tuple[int, ...]) -> float:
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    began = time.perf_counter()
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in expected:
        said = done.stderr.strip().split('\n')[-1]
        raise Failed(f'the search ended with status {done.returncode}: {said}')
    return time.perf_counter() - began


def split(timings: Mapping[str, Any], wall: float) -> dict[str, Any]:
    """What `timings.json` says of a search, and the rest of its time, in seconds.

    `steps` and `evaluation` are what a search is for, compiling included; `around` is the rest of
    the trainings (building, resetting, snapshots), `outside` all else.

    >>> split({'round 0': {'total': 5.0, 'steps': 3.0, 'evaluation': 1.5}}, 10.0)
    {'trainings': 1, 'steps': 3.0, 'evaluation': 1.5, 'around': 0.5, 'outside': 5.0}
    """
    total, steps, evaluation = (
        sum(one[part] for one in timings.values()) for part in ('total', 'steps', 'evaluation')
    )
    return {
        'trainings': len(timings),
        **{'steps': steps, 'evaluation': evaluation},
        **{'around': total - steps - evaluation, 'outside': wall - total},
    }


def searches(names: Sequence[str], data_dir: str, say: Any = print) -> dict[str, Any]:
    """Whole searches by name."""
    found = {}
    for name in names:
        say(f'search: {name}')
        real = SEARCHES[name]['dataset'] != 'digits'
        found[name] = run({**SEARCHES[name], **({'data_dir': data_dir} if real else {})})
    return found
