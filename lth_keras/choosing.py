"""Which tickets of a search are exported, and their files."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lth_keras import exporting, report, stages
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.runs import Run
from lth_keras.stages import TICKET, Round
from lth_keras.store import Store
from lth_keras.ticket import Ticket


class Chosen:
    """Remembers the tickets that may be exported while the search runs, without trained weights.

    Those are in the store; in memory they would grow with rounds and replicates.
    """

    def __init__(self, experiment: Experiment, store: Store):
        self._margin = experiment.margin
        self._wanted = experiment.export
        self._store = store
        self._tickets: dict[tuple[int, int], tuple[Ticket, str]] = {}

    def offer(self, result: Round) -> None:
        """Keeps the ticket of a training in mind if it may be wanted."""
        wants_all = 'smallest_matching' in self._wanted
        if result.variant == TICKET and (wants_all or str(result.round) in self._wanted):
            bare = dataclasses.replace(result.ticket, early_stop=None, final=None)
            self._tickets[result.round, result.replicate] = bare, result.stage

    def tickets(self, rows: list[dict[str, Any]]) -> Iterable[tuple[str, Ticket]]:
        """(name, ticket): of each wanted round the replicate of lowest validation loss."""
        for wanted in self._wanted:
            if wanted == 'none':
                continue
            if wanted == 'smallest_matching':
                found = report.smallest_matching(rows, self._margin)
                if found is None:
                    continue
                number, replicate = found
            else:
                number = int(wanted)
                of_round = [r for r in rows if r['round'] == number and r['variant'] == TICKET]
                if not of_round:
                    continue  # every replicate stopped before it
                best = min(of_round, key=lambda r: r['validation_loss'])
                replicate = best['replicate']
            bare, stage = self._tickets[number, replicate]
            name = f'round-{number:02d}-replicate-{replicate}'
            yield name, stages.with_weights(bare, self._store.find(*stage.split('-')))


def export(
    run: Run, tickets: Iterable[tuple[str, Ticket]], lab: Laboratory, writes: bool
) -> dict[str, Path]:
    """Writes tickets and SavedModels that are not there yet; returns name -> folder.

    Args:
      run: the open run.
      tickets: (name, trained ticket).
      lab: of the search.
      writes: whether this process writes; of several workers the chief does.
    """
    exported = {}
    for name, ticket in tickets:
        folder = exported[name] = run.directory / 'tickets' / name
        if not writes:
            continue
        if not (folder / 'ticket').exists():
            ticket.save(folder / 'ticket')
        target = folder / 'saved_model'
        if target.exists():
            exporting.verify(target)
        else:
            # From the builder, not from the text: layers may be known to this process only.
            model = ticket.apply(lab.build_model, 'early_stop')
            exporting.export(model, target, samples=lab.data.test[0][:64])
    return exported
