"""The command `tools/tickets`: what is in a work directory, and what may go."""

import argparse
import sys
from collections.abc import Callable, Sequence

from experiments import quiet

with quiet.starting():
    from experiments.parsing import Parser
    from lth_keras import errors, inventory, session

WORKDIR = 'runs'
_NAME = 'RUN/NAME, a part of it that no other has, or a path'


def _list(given: argparse.Namespace) -> int:
    workdir = given.workdir if given.where is None else given.where
    session.say(inventory.listing(workdir, given.sort, given.all, given.json))
    return 0


def _show(given: argparse.Namespace) -> int:
    session.say(inventory.show(given.workdir, given.name))
    return 0


def _compare(given: argparse.Namespace) -> int:
    session.say(inventory.compare(given.workdir, given.first, given.second))
    return 0


def _verify(given: argparse.Namespace) -> int:
    return 1 if inventory.verify(given.workdir, given.names, session.say) else 0


def _remove(given: argparse.Namespace) -> int:
    inventory.remove(given.workdir, given.names, session.say, given.unused, given.yes)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog='tools/tickets',
        description='Lists, shows, compares, verifies and removes what is in a work directory.',
        epilog='tools/tickets COMMAND --help says more',
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    def command(
        name: str, does: Callable[[argparse.Namespace], int], text: str, more: str = ''
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=text, description=f'{text[0].upper()}{text[1:]}. {more}', allow_abbrev=False
        )
        added.set_defaults(does=does)
        added.add_argument('--workdir', default=WORKDIR, help=f'of the searches; {WORKDIR}')
        return added

    listed = command('list', _list, 'a line per exported ticket, and per run without one')
    listed.add_argument('where', metavar='WORKDIR', nargs='?', help='the same as --workdir')
    listed.add_argument('--sort', choices=inventory.ORDERS, default='name')
    listed.add_argument(
        '--all', action='store_true', help='also the trained rounds that were not exported'
    )
    listed.add_argument('--json', action='store_true', help='for a program')

    shown = command('show', _show, 'all that one ticket says about itself')
    shown.add_argument('name', metavar='NAME', help=_NAME)

    compared = command('compare', _compare, 'where two tickets differ, and how far masks agree')
    compared.add_argument('first', metavar='A', help=_NAME)
    compared.add_argument('second', metavar='B', help='the same')

    verified = command(
        'verify',
        _verify,
        'reads every byte and compares checksums',
        'The exit status is 1 if anything is broken. Tables, figures and reports have no checksum: '
        "a run's command writes them again.",
    )
    verified.add_argument(
        'names', metavar='NAME', nargs='*', help='tickets, runs, stages; everything if not given'
    )

    removed = command(
        'remove',
        _remove,
        'says what would go; with --yes it goes',
        'With a run go the stages that only its records mention. After a kill the same command '
        'completes it.',
    )
    removed.add_argument(
        'names', metavar='NAME', nargs='*', help='RUN, RUN/NAME, the end of such a name, or a path'
    )
    removed.add_argument('--yes', action='store_true', help='does it')
    removed.add_argument(
        '--unused',
        action='store_true',
        help="also the stages that no run's records mention. Among them may be those of a run that "
        'was killed before it wrote its records, and those of the search on other data that a '
        'transfer takes its tickets from: they would be trained again',
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 = done, 1 = something is broken, 2 = an expected failure, in one line."""
    sys.stdout.reconfigure(errors='replace')  # a name may hold what the terminal cannot show
    try:
        given = _parser().parse_args(arguments)
        return given.does(given)
    except errors.LotteryError as e:
        return session.failed(errors.LotteryError(inventory.clean(e)))
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
