"""The command `tools/analyse`: looks at the tickets of a finished run."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from absl import logging

from experiments import quiet

with quiet.starting():
    from lth_keras import errors, session
    from lth_keras.analysis import ANALYSES, analyse, front


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(',') if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'expected whole numbers like 0,3,7, received {text!r}'
        ) from None


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(',') if part.strip()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise errors.ConfigError(f'{message}; --help lists the flags')


def _parser() -> argparse.ArgumentParser:
    lines = [f'  {name}: {ANALYSES.summary(name)}' for name in ANALYSES]
    parser = _Parser(
        prog='tools/analyse',
        description='Looks at the tickets of a finished run; trains nothing.',
        epilog='\n'.join(['analyses:', *lines, '', 'results: RUN/analysis/']),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('run', metavar='RUN_DIRECTORY', help='WORKDIR/LABEL-FINGERPRINT')
    parser.add_argument('--only', type=_names, default=[], help='analyses, comma separated')
    parser.add_argument('--rounds', type=_numbers, default=[], help='rounds; all if not given')
    parser.add_argument('--replicates', type=_numbers, default=[], help='likewise')
    parser.add_argument('--data_dir', default='', help='folder of prepared TFDS data sets')
    parser.add_argument('--part', default='train', help=f'examples: {" or ".join(front.PARTS)}')
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 = written, 2 = an expected failure, said in one line."""
    try:
        given = _parser().parse_args(arguments)
        logging.set_verbosity(logging.ERROR)
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
    except errors.LotteryError as e:
        return session.failed(e)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
