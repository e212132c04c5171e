"""What looking costs: a report of a large search, and TensorBoard summaries while training.

Example: python -m tools.benchmarks.looking --out=docs/records/looking.json
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from tools.benchmarks import large, machine

FORMAT, VERSION = 'lth_keras.looking', 1
RECORD = pathlib.PurePath('docs', 'records', 'looking.json')
REPLICATES, ROUNDS, EVALUATIONS = 100, 25, 500
LIVE = (
    '--model=lenet_300_100 --dataset=digits --training_steps=2000 --eval_every=20 --rounds=3 '
    '--replicates=1 --controls= --export=none --noreport'
).split()


def _run(module: str, *arguments: str) -> float:
    """Wall time of a command of the project in a process of its own, in seconds."""
    environment = {**os.environ, 'PYTHONPATH': str(machine.ROOT), 'TF_USE_LEGACY_KERAS': '1'}
    line = [sys.executable, '-P', '-m', f'experiments.{module}', *arguments]
    began = time.monotonic()
    subprocess.run(line, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def report(workdir: pathlib.Path) -> dict[str, Any]:
    """The time and the sizes of the report of a large search."""
    run, trainings = large.write_run(workdir, REPLICATES, ROUNDS, EVALUATIONS)
    seconds = _run('report', str(run))
    files = [path for path in (run / 'report').rglob('*') if path.is_file()]
    return {
        'replicates': REPLICATES,
        'rounds': ROUNDS,
        'evaluations': EVALUATIONS,
        'trainings': trainings,
        'seconds': round(seconds, 1),
        'bytes': sum(path.stat().st_size for path in files),
        'page_bytes': (run / 'report' / 'report.html').stat().st_size,
    }


def live(workdir: pathlib.Path, repeats: int) -> dict[str, Any]:
    """Seconds in trainings with summaries and without, in turn."""
    found: dict[str, list[float]] = {'with': [], 'without': []}
    for i in range(repeats):
        for name, flags in (('without', []), ('with', ['--tensorboard'])):
            place = workdir / f'{name}-{i}'
            _run('lottery', *LIVE, *flags, f'--workdir={place}')
            (timings,) = place.glob('*/timings.json')
            found[name].append(sum(t['total'] for t in json.loads(timings.read_text()).values()))
    pairs = zip(found['with'], found['without'], strict=True)
    return {'command': LIVE, **found, 'ratio': statistics.median(a / b for a, b in pairs)}


def sentence(record: dict[str, Any]) -> str:
    """What the record says, for the docs."""
    big, live_ = record['report'], record['live']
    return (
        f'A search of {big["replicates"]} replicates, {big["rounds"]} rounds, re-initialisation in '
        f'each and {big["evaluations"]} evaluations ({big["trainings"]:,} trainings): '
        f'**{big["seconds"]:.0f} s** from the command to the end, {big["bytes"] / 1e6:.1f} MB in '
        f'all, of which the page {big["page_bytes"] / 1e6:.1f} MB. Training with `--tensorboard`, '
        f'an evaluation every 20 steps of LeNet on digits: **{live_["ratio"]:.2f} times** the time '
        f'without (median of {len(live_["with"])} pairs).\n'
    )


def main() -> int:
    """Measures, prints, and writes the record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=pathlib.Path, help='file for the record, JSON')
    parser.add_argument('--repeats', type=int, default=5, help='pairs of trainings')
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workdir = pathlib.Path(folder)
        record = {
            'format': FORMAT,
            'version': VERSION,
            'command': f'python -m tools.benchmarks.looking --repeats={given.repeats}',
            'commit': machine.commit(),
            'processor': machine.processor(),
            'report': report(workdir / 'large'),
            'live': live(workdir / 'live', given.repeats),
        }
    print(sentence(record))
    if given.out:
        given.out.write_text(json.dumps(record, indent=1, sort_keys=True) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
