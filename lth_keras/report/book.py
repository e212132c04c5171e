"""One run as it was recorded: what a report is made of, and what of it is missing."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lth_keras import errors, verdict
from lth_keras.report import evidence, summary
from lth_keras.report.cost import Timing
from lth_keras.report.curves import Curves
from lth_keras.report.matching import smallest_matching
from lth_keras.report.summary import TICKET, Row, Summary
from lth_keras.rounds import CONTINUED

UNKNOWN = ''  # of a run that did not say how it stands


@dataclasses.dataclass(frozen=True, eq=False)
class Book:
    """The records of a run, read as far as they can be.

    Attributes:
        name: of the run's directory.
        rows: of the trainings whose numbers can be used.
        problems: what is missing or broken, a sentence each.
        record: `records.json` without the rows.
        state: 'running', 'finished', 'killed', 'interrupted', 'failed: ...', or '' if nobody knows.
        planned: the number of trainings that the search is to make; None if not recorded.
        provenance: `provenance.json`.
        timings: of the trainings.
        analyses: name -> tables and notes of `tools/analyse`.
        curves: of the trainings.
        directory: where it was read from.
        stored: whether there is a store beside it, with weights and curves.
        shown: the rounds whose curves and pictures are shown; chosen by themselves if empty.
    """

    name: str
    rows: Sequence[Row]
    problems: Sequence[str] = ()
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    state: str = UNKNOWN
    planned: int | None = None
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    timings: Sequence[Timing] = ()
    analyses: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    curves: Curves = dataclasses.field(default_factory=Curves)
    directory: Path | None = None
    stored: bool = False
    shown: Sequence[int] = ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """Setting -> value, as recorded."""
        return self.record.get('configuration', {})

    @property
    def margin(self) -> float:
        """Accuracy that a winning ticket may lose."""
        return self.settings.get('margin', verdict.MARGIN)

    @functools.cached_property
    def summaries(self) -> list[Summary]:
        """One per round and variant, with the verdicts."""
        return summary.summarise(self.rows, self.margin)

    @functools.cached_property
    def comparisons(self) -> list[evidence.Comparison]:
        """Tickets against the dense network and every control, per round."""
        return evidence.comparisons(self.rows)

    def comparison(self, round_: int, against: str) -> evidence.Comparison | None:
        """The tickets of a round against 'dense' or a control."""
        wanted = round_, against
        return next((c for c in self.comparisons if (c.round, c.against) == wanted), None)

    @functools.cached_property
    def matching(self) -> tuple[int, int] | None:
        """Round and replicate of the smallest ticket that matches dense on validation data."""
        try:
            return smallest_matching(self.rows, self.margin)
        except errors.LotteryError:
            return None  # without the dense network there is nothing to match

    @property
    def tickets(self) -> list[Summary]:
        """The summaries of tickets, the dense network first."""
        return [s for s in self.summaries if s.variant == TICKET]

    @property
    def dense(self) -> Summary | None:
        """The summary of the dense network."""
        return next((s for s in self.tickets if s.round == 0), None)

    @property
    def controls(self) -> list[str]:
        """Names of the controls, re-initialisation first; `continued` is none."""
        return [v for v in self.variants if v not in (TICKET, CONTINUED)]

    @property
    def variants(self) -> list[str]:
        """The ticket, re-initialisation, then the other controls by name."""
        return summary.order(s.variant for s in self.summaries)

    @property
    def replicates(self) -> list[int]:
        """Numbers of the replicates that there is any training of."""
        return sorted({row['replicate'] for row in self.rows})

    @property
    def smallest_winning(self) -> Summary | None:
        """The ticket of lowest density whose verdict is winning."""
        won = [s for s in self.tickets if s.verdict and s.verdict.name == verdict.WINNING]
        return min(won, key=lambda s: s.density, default=None)

    @property
    def telling_round(self) -> int:
        """The round that pictures of one ticket show: the smallest winning, matching, or last."""
        if self.shown:
            return max(self.shown)
        if self.smallest_winning:
            return self.smallest_winning.round
        if self.matching:
            return self.matching[0]
        return max((s.round for s in self.tickets), default=0)

    def rows_of(self, round_: int, variant: str = TICKET) -> list[Row]:
        """The rows of one variant in one round."""
        return [r for r in self.rows if r['round'] == round_ and r['variant'] == variant]
