"""Figures of what `tools/analyse` found: they need the weights, not only the records."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lth_keras.report.figures.base import ReportFigure


class Analysed(ReportFigure):
    """A figure of one table of one analysis."""

    analysis: ClassVar[str]
    source: ClassVar[str]

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The rows of its table; an analysis of an older version may lack it."""
        found = self.book.analyses.get(self.analysis, {}).get('tables', {})
        return list(found.get(self.source, ()))

    @property
    def missing(self) -> str:
        if self.rows:
            return ''
        if not self.book.stored:
            return 'the weights are not here: the run has no store beside it'
        notes = self.book.analyses.get(self.analysis, {}).get('notes', ())
        return '; '.join(notes) or f'not looked at: tools/analyse --only={self.analysis} RUN does'

    @property
    def note(self) -> str:
        return ''

    @property
    def table(self) -> Sequence[Mapping[str, Any]]:
        return self.rows
