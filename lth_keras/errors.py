"""Errors of `lth_keras`: one family, each text says *expected ..., received ..., do ...*."""

import difflib
from collections.abc import Iterable


class LotteryError(Exception):
    """Base of every error that `lth_keras` raises on purpose; its text is meant for the user."""


class ConfigError(LotteryError):
    """A flag, option or argument that cannot be meant."""


class DataError(LotteryError):
    """A data set that is missing, malformed, or not the recorded one."""


class ModelError(LotteryError):
    """A model or builder that cannot be pruned, rewound or rebuilt."""


class MaskError(LotteryError):
    """A mask, score or rate that does not fit the kernels it is meant for."""


class StoreError(LotteryError):
    """An artefact that cannot be written, read, or trusted."""


class TrainingError(LotteryError):
    """A training that diverged or was asked for the impossible."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint that names the nearest known name, or lists all names if none is near.

    >>> did_you_mean('mnsit', ['digits', 'mnist'])
    "did you mean 'mnist'? Known: digits, mnist."
    >>> did_you_mean('zzz', ['digits', 'mnist'])
    'known: digits, mnist.'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = ', '.join(names) if len(names) <= 40 else ', '.join(names[:40]) + ', ...'
    return f"did you mean '{near[0]}'? Known: {listed}." if near else f'known: {listed}.'
