"""What commands with positional arguments share: one line for a wrong call or a failure."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import logging

from lth_keras import errors, session


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of the project."""

    def error(self, message: str) -> NoReturn:
        raise errors.ConfigError(f'{message}; --help lists the flags')


def numbers(text: str) -> list[int]:
    """The whole numbers in a comma-separated text."""
    try:
        return [int(part) for part in text.split(',') if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'expected whole numbers like 0,3,7, received {text!r}'
        ) from None


def status(
    act: Callable[[argparse.Namespace], int],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
) -> int:
    """What `act` returns; 2 after an expected failure, said in one line; 130 after Ctrl-C."""
    logging.set_verbosity(logging.ERROR)
    try:
        return act(parser.parse_args(arguments))
    except errors.LotteryError as e:
        return session.failed(e)
    except KeyboardInterrupt:
        return 130
