"""The command `tools/analyse`: looks at the tickets of a finished run."""

import argparse
import sys
from collections.abc import Sequence

from experiments import quiet

with quiet.starting():
    from experiments.parsing import Parser, numbers, status
    from lth_keras import session
    from lth_keras.analysis import ANALYSES, analyse, front


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(',') if part.strip()]


def _parser() -> Parser:
    lines = [f'  {name}: {ANALYSES.summary(name)}' for name in ANALYSES]
    parser = Parser(
        prog='tools/analyse',
        description='Looks at the tickets of a finished run; trains nothing.',
        epilog='\n'.join(['analyses:', *lines, '', 'results: RUN/analysis/']),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('run', metavar='RUN_DIRECTORY', help='WORKDIR/LABEL-FINGERPRINT')
    parser.add_argument('--only', type=_names, default=[], help='analyses, comma separated')
    parser.add_argument('--rounds', type=numbers, default=[], help='rounds; all if not given')
    parser.add_argument('--replicates', type=numbers, default=[], help='likewise')
    parser.add_argument('--data_dir', default='', help='folder of prepared TFDS data sets')
    parser.add_argument('--part', default='train', help=f'examples: {" or ".join(front.PARTS)}')
    return parser


def _act(given: argparse.Namespace) -> int:
    with quiet.starting():
        session.configure(0)
    options = {k: v for k, v in vars(given).items() if k != 'run'}
    found = analyse(given.run, **options)
    for name, result in found.items():
        for note in result['notes']:
            print(f'note: {note}', file=sys.stderr)
        tables = ', '.join(f'{table}.csv' for table in sorted(result['tables']))
        session.say(f'{name}: {name}.png' + (f', {tables}' if tables else ''))
    session.say(f'written to {given.run.rstrip("/")}/{front.FOLDER}')
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 = written, 2 = an expected failure, said in one line."""
    return status(_act, _parser(), arguments)


if __name__ == '__main__':
    sys.exit(main())
