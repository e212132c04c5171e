"""The command `tools/report`: one page, figures and tables of one run, or of several."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments import quiet

with quiet.starting():
    from experiments.parsing import Parser, numbers, status
    from lth_keras import errors, outcome, progress, records, reporting, session
    from lth_keras.report import reading

WATCHED = (records.NAME, outcome.NAME, progress.TIMINGS, reading.ANALYSIS)


def _parser() -> Parser:
    parser = Parser(
        prog='tools/report',
        description='Writes a report of runs: one HTML file, every figure as PNG and SVG, every '
        'table as CSV. Several runs are compared. Trains nothing; what it finds in weights that '
        'nobody has looked at is kept in RUN/analysis.',
        allow_abbrev=False,
    )
    parser.add_argument(
        'runs', metavar='RUN', nargs='+', help='WORKDIR/LABEL-FINGERPRINT, or a records.json'
    )
    parser.add_argument('--out', default='', help='folder; RUN/report, or report for several runs')
    parser.add_argument(
        '--rounds', type=numbers, default=[], help='whose curves and weights are shown: 0,3,7'
    )
    parser.add_argument('--title', default='', help='of the page')
    parser.add_argument('--data_dir', default='', help='folder of prepared TFDS data sets')
    parser.add_argument(
        '--no_weights', action='store_true', help='looks at records and curves alone: faster'
    )
    parser.add_argument(
        '--watch',
        action='store_true',
        help='writes it again whenever a run has gone on, until all have ended',
    )
    parser.add_argument(
        '--every', type=int, default=10, metavar='SECONDS', help='how often --watch looks'
    )
    return parser


def _once(given: argparse.Namespace, refresh: int = 0) -> None:
    made = reporting.make_report(
        *(given.runs, given.out, given.title, given.data_dir, not given.no_weights, refresh),
        rounds=given.rounds,
    )
    for name, found in made.headlines.items():
        session.say(f'{name}: {found.verdict}: {found.answer}', kept=str(made.page))
    session.say(f'report: {made.page}')


def _signature(runs: Sequence[str]) -> list[object]:
    """What changes when a run goes on."""
    found: list[object] = [reading.read(run).state for run in runs]
    for run in runs:
        for name in WATCHED:
            try:
                found.append((Path(run) / name).stat().st_mtime_ns)
            except OSError:
                found.append(0)
    return found


def _watch(given: argparse.Namespace) -> None:
    seen: list[object] = []
    while True:
        now = _signature(given.runs)
        running = outcome.RUNNING in now
        if now != seen or not running:
            _once(given, given.every if running else 0)
            seen = now
        if not running:
            session.say('no run is being worked on: the report is up to date')
            return
        time.sleep(given.every)


def _act(given: argparse.Namespace) -> int:
    if given.every < 1:
        raise errors.ConfigError(f'every: expected seconds >= 1, received {given.every}')
    with quiet.starting():
        session.configure(0)
    _watch(given) if given.watch else _once(given)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 = written, 2 = an expected failure, said in one line."""
    return status(_act, _parser(), arguments)


if __name__ == '__main__':
    sys.exit(main())
