"""What every analysis is given, and what it gives back: tables of plain numbers, and a figure."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from lth_keras import errors
from lth_keras.laboratory import Laboratory
from lth_keras.mask import Mask
from lth_keras.stages import Round

# One record of a table: names and plain numbers, texts, None, or lists of numbers.
Row = dict[str, Any]
Tables = dict[str, list[Row]]
Arrays = Mapping[str, np.ndarray]

OVERALL = 'all'


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """One ticket of a finished run, in the order replicate, round; round 0 is the dense network.

    Args:
      result: the ticket with its trained weights and its row of the records.
      dense: round 0 of the same replicate.
      initial: path -> value at step 0 of the same replicate.
    """

    result: Round
    dense: Round
    initial: Arrays

    @property
    def mask(self) -> Mask:
        """Which weights the ticket keeps."""
        return self.result.ticket.mask

    @property
    def place(self) -> Row:
        """The first columns of every row: replicate, round, density in (0, 1]."""
        found = self.result
        return {
            'replicate': found.replicate,
            'round': found.round,
            'density': found.ticket.mask.density,
        }


class Analysis(abc.ABC):
    """A look at the tickets of a finished run; nothing is trained.

    A new one is a file with a subclass, and a line in `ANALYSES`. The first line of the subclass's
    docstring is its summary.

    Args:
      lab: model and data of the run.
      part: 'train' or 'validation': the examples that those analyses look at that need some.
    """

    name: ClassVar[str]

    def __init__(self, lab: Laboratory, part: str = 'train'):
        self.lab = lab
        self.part = part
        self.tables: Tables = {}
        self.notes: list[str] = []

    @abc.abstractmethod
    def add(self, seen: Seen) -> None:
        """Takes in one ticket; tickets come once each, and are not kept."""

    def finish(self) -> None:  # noqa: B027 - most have nothing to do
        """Called after the last ticket, before the tables are read."""

    @abc.abstractmethod
    def draw(self, figure: Figure) -> None:
        """Draws the tables onto an empty figure."""

    def put(self, table: str, *rows: Row) -> None:
        """Appends rows to a table."""
        self.tables.setdefault(table, []).extend(rows)

    def note(self, text: str) -> None:
        """Remembers a sentence for the reader, once."""
        if text not in self.notes:
            self.notes.append(text)


def ratio(part: float, whole: float) -> float | None:
    """part / whole; None where there is no whole.

    >>> ratio(1, 4), ratio(0, 0)
    (0.25, None)
    """
    return float(part / whole) if whole else None


def check_arrays(mask: Mask, arrays: Arrays, what: str) -> None:
    """Raises a MaskError unless `arrays` has an array of the mask's shape for each kernel."""
    known = {path: np.shape(array) for path, array in arrays.items() if path in mask}
    try:
        mask.check_fits(known)
    except errors.MaskError as e:
        raise errors.MaskError(f'{what}: {e}; give the arrays of the same model') from e
