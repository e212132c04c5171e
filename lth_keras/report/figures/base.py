"""What every figure of a report is: a title, a drawing, a caption, or why it cannot be drawn."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lth_keras.report.axes import chosen, show_percent
from lth_keras.report.book import Book
from lth_keras.report.summary import low_to_high

SIZE = (4.7, 3.6)  # inches: as wide as a phone shows legibly, and half a page of a paper


class ReportFigure(abc.ABC):
    """One figure of one run; a new one is a file with a subclass, and a line in `FIGURES`.

    The first line of the subclass's docstring is its summary.

    Args:
      book: the run.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    size: tuple[float, float] = SIZE

    def __init__(self, book: Book):
        self.book = book

    @property
    def missing(self) -> str:
        """Why it cannot be drawn, a sentence; '' if it can."""
        return '' if self.book.rows else 'no training has finished'

    @abc.abstractmethod
    def draw(self, figure: Figure) -> None:
        """Draws onto an empty figure."""

    @property
    @abc.abstractmethod
    def caption(self) -> str:
        """What the points, lines and bars are."""

    @property
    def without_curves(self) -> str:
        """Why a figure of curves has none."""
        if not self.book.stored:
            return 'the curves are not here: the run has no store beside it'
        return 'the store has no curves of this run'

    @property
    def note(self) -> str:
        """How many replicates and what the bars are, inside the drawing; '' for none."""
        counts = [s.replicates for s in self.book.tickets]
        if not counts or max(counts) == 1:
            return 'n = 1' if counts else ''
        return f'n = {low_to_high(counts, "-")}, 95% t-intervals'

    @property
    def table(self) -> Sequence[Mapping[str, Any]]:
        """What is drawn, as rows of a CSV file; empty if another table has it."""
        return ()


def chosen_rounds(book: Book, count: int = 4) -> list[int]:
    """The rounds whose curves are shown: the dense one, the telling one, others spread evenly."""
    if book.shown:
        return sorted(book.shown)
    rounds = sorted({s.round for s in book.tickets})
    if len(rounds) <= count:
        return rounds
    keep = {rounds[0], book.telling_round, rounds[-1]}
    for number in chosen(rounds, count)[1:-1]:
        if len(keep) < count:
            keep.add(number)
    return sorted(keep & set(rounds))


def label_of(book: Book, round_: int) -> str:
    """A round as a legend names it: its density, or the dense network."""
    if round_ == 0:
        return 'dense network'
    density = next(s.density for s in book.tickets if s.round == round_)
    return f'{show_percent(density)} (round {round_})'


def mean_over(counts: Sequence[int]) -> str:
    """How many replicates a mean is over.

    >>> mean_over([1]), mean_over([5]), mean_over([2, 5])
    ('one replicate', 'mean over 5 replicates', 'mean over 2 to 5 replicates')
    """
    if max(counts) == 1:
        return 'one replicate'
    return f'mean over {low_to_high(counts)} replicates'


def upper(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def fit(axes: Axes, low: float, high: float, pad: float = 0.06) -> None:
    """Limits of the y axis around what is to be seen."""
    room = pad * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)
