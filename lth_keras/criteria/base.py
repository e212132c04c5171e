"""What every criterion is given, and what it declares."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from lth_keras import errors

KINDS_OF_EVIDENCE = ('initial', 'rewind', 'final')

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Kernel path -> weights at three moments of a round; None where it is not known.

    `initial` are the weights at step 0, `rewind` those the round started from (step k), and
    `final` those at its end. What pruned positions hold is ignored.
    """

    initial: Arrays | None = None
    rewind: Arrays | None = None
    final: Arrays | None = None

    def require(self, needs: tuple[str, ...], name: str) -> None:
        """Raises a MaskError if the criterion `name` needs evidence that is not here."""
        missing = [kind for kind in needs if getattr(self, kind) is None]
        if missing:
            raise errors.MaskError(
                f'criterion {name!r} needs the {" and the ".join(missing)} weights, received '
                'none; train first, or pass the rewind callback that holds the snapshot'
            )


def needs_of(function: Callable) -> tuple[str, ...]:
    """The evidence a criterion declares; a plain function of the user's own gets final weights."""
    return getattr(function, 'needs', ('final',))


def criterion(*needs: str) -> Callable:
    """Marks a function `Evidence -> kernel path -> score` as a criterion needing such evidence.

    >>> @criterion('final')
    ... def twice(evidence):
    ...     return {path: 2 * w for path, w in evidence.final.items()}
    >>> twice.needs, twice(Evidence(final={'a': np.array([1.0])}))
    (('final',), {'a': array([2.])})
    """
    unknown = set(needs) - set(KINDS_OF_EVIDENCE)
    if unknown:
        raise ValueError(f'expected evidence among {KINDS_OF_EVIDENCE}, received {unknown}')

    def mark(function: Callable) -> Callable:
        function.needs = tuple(needs)  # type: ignore[attr-defined]
        return function

    return mark
