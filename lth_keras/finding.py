"""A whole search in one call: rounds, controls, records, report, exported tickets."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lth_keras import (
    board,
    choosing,
    errors,
    outcome,
    plan,
    records,
    report,
    reporting,
    session,
    workers,
)
from lth_keras import data as data_sets
from lth_keras._compat import Model
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import TIMINGS, Progress
from lth_keras.rounds import search
from lth_keras.runs import Run
from lth_keras.store import Store
from lth_keras.ticket import Ticket
from lth_keras.watching import Several

Part = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, repr=False)
class Found:
    """What a search found: a row per training, their summaries, and where things are."""

    directory: Path
    rows: list[dict[str, Any]]
    summaries: list[report.Summary]
    exported: dict[str, Path]
    matching: tuple[int, int] | None
    page: Path | None = None

    def __repr__(self) -> str:
        return f'<{len(self.rows)} trainings in {self.directory}, {len(self.exported)} exported>'

    def table(self) -> str:
        """Round, density, accuracy and early stop with 95% intervals, controls, verdict."""
        return report.text_table(self.summaries)

    def describe(self) -> str:
        """The table, and where everything is."""
        lines = [self.table().rstrip(), '']
        last = [r for r in self.rows if r['early_stop_step'] == r['training_steps']]
        if 2 * len(last) > len(self.rows):
            lines += ['most early stops lie at the last step: train longer', '']
        lines.append(f'tables and plots: {self.directory}')
        if self.page:
            lines.append(f'report:           {self.page}')
        for name, folder in self.exported.items():
            smallest = self.matching and name.startswith(f'round-{self.matching[0]:02d}-')
            lines.append(f'exported ticket:  {folder}{self._why() if smallest else ""}')
        if not self.exported:
            why = '' if self.matching else 'no round matches dense on validation data; '
            lines.append(f'exported ticket:  none; {why}--export=ROUND exports any round')
        return '\n'.join(lines)

    def _why(self) -> str:
        """Why the smallest matching ticket is exported; it need not be a winning one."""
        mine = [s for s in self.summaries if s.round == self.matching[0] and s.verdict]
        judged = f'; verdict: {mine[0].verdict.name}' if mine else ''
        return f' (the smallest that matches dense on validation data{judged})'

    def ticket(self, name: str | int | None = None) -> Ticket:
        """An exported ticket, by name or round; the first one if none is given."""
        if isinstance(name, int):
            of_round = [n for n in self.exported if n.startswith(f'round-{name:02d}-')]
            name = of_round[0] if of_round else f'round-{name:02d}'
        if not self.exported:
            raise errors.ConfigError(
                'no ticket was exported: none matches the dense network; export a round by number'
            )
        if name is not None and name not in self.exported:
            hint = errors.did_you_mean(name, self.exported)
            raise errors.ConfigError(f'no exported ticket {name!r}: {hint}')
        return Ticket.load(self.exported[name or next(iter(self.exported))] / 'ticket')


def find_tickets(
    build_model: Callable[[], Model],
    train: Part,
    test: Part,
    validation: Part | None = None,
    quiet: bool = False,
    **options: Any,
) -> Found:
    """Finds lottery tickets in a model and data of one's own.

    The whole of the design: rounds with rewinding, early stop on the validation part, controls,
    replicates, resume, report, export. See `Experiment` for the options.

    Args:
      build_model: returns a new Sequential or functional tf_keras model with one output of class
        logits or probabilities; must not fix its seeds.
      train: inputs (n, ...) and whole-number labels (n,).
      test: likewise; only reported on.
      validation: likewise; a tenth of `train` if None.
      quiet: shows no progress.
      **options: fields of `Experiment`, such as rounds=10, rate=0.2, training_steps=12000.

    Raises:
      LotteryError: bad options, model or data; the text says what to do.

    >>> import tempfile, tf_keras
    >>> x = np.random.default_rng(0).random((200, 4), np.float32)
    >>> y = (x.sum(1) > 2).astype(np.int32)
    >>> def build():
    ...     return tf_keras.Sequential([
    ...         tf_keras.layers.Dense(20, activation='relu', input_shape=(4,)),
    ...         tf_keras.layers.Dense(2)])
    >>> found = find_tickets(build, (x, y), (x, y), quiet=True, rounds=1, replicates=1,
    ...     training_steps=20, batch_size=20, eval_every=10, workdir=tempfile.mkdtemp(),
    ...     controls=(), export=('1',))
    >>> [round(row['density'], 3) for row in found.rows], found.ticket().mask.kept
    ([1.0, 0.833], 100)
    """
    refused = {'model', 'dataset', 'data_dir', 'download', 'dry_run'}
    known = {item.name for item in dataclasses.fields(Experiment)} - refused
    for name in options:
        if name not in known:
            why = 'is given by the arguments' if name in refused else 'is unknown'
            raise errors.ConfigError(f'option {name!r} {why}: {errors.did_you_mean(name, known)}')
    experiment = Experiment(**options, model=_named(build_model), dataset='given:arrays')
    session.configure(experiment.threads, experiment.strategy)
    source = data_sets.from_arrays(train, test)
    if validation is not None and experiment.validation_examples is not None:
        raise errors.ConfigError(
            'validation_examples: expected to be left out beside a validation part of its own'
        )
    if validation is None:
        held = experiment.validation_examples
        dataset = data_sets.split(source, experiment.split_seed, held)
    else:
        dataset = data_sets.given(source, validation)
    return find(experiment, Laboratory(experiment, build_model, dataset), quiet)


def _named(function: Any) -> str:
    """module:name of a builder, for the records."""
    module = getattr(function, '__module__', type(function).__module__)
    return f'{module}:{getattr(function, "__qualname__", type(function).__name__)}'


def find(experiment: Experiment, lab: Laboratory | None = None, quiet: bool = False) -> Found:
    """Runs (or resumes) a search and writes records, tables, plots and tickets to its run.

    Of several workers each runs it all, and the chief alone writes and shows progress.
    """
    board.check(experiment)  # before anything is written, a probe of the engine included
    lab = lab or Laboratory(experiment)
    experiment = lab.experiment  # durations in steps
    team = workers.team_of(experiment.strategy, lab.strategy)
    store = workers.store(experiment.workdir, team)
    _ = lab.plans  # before anything is written: a plan that cannot be is an error
    opened = store.open_run(lab.name, lab.fingerprint, lab.identity, bool(experiment.label))
    asked = workers.joined(team, records.command(experiment))
    with asked, opened as run:
        found = _search(lab, store, run, team, quiet)
        if experiment.report and team.chief:
            found = dataclasses.replace(found, page=_report(lab, run, found))
    return found


def _search(lab: Laboratory, store: Store, run: Run, team: workers.Team, quiet: bool) -> Found:
    """All trainings, their records and tables, and the exported tickets."""
    experiment = lab.experiment
    with outcome.recorded(run, lab):
        progress = Progress(
            plan.steps(lab),
            quiet or not team.chief,
            trainings=plan.count(lab),
            at_most=experiment.stop_rule != 'never',
        )
        watcher = Several(progress, board.of(experiment, run.directory, team.chief))
        rows: list[dict[str, Any]] = []
        known = records.recorded(run.directory, store)
        chosen = choosing.Chosen(experiment, store)
        try:
            for result in search(lab, store, watcher):
                rows.append(result.row)
                chosen.offer(result)
                known[records.place(result.row)] = result.row
                run.write(records.NAME, records.to_text(lab, known))
        finally:
            watcher.close()
            if progress.seconds:
                run.write(TIMINGS, _timings(run, progress))
        # What an earlier command of this run trained stays in its tables.
        everything = [known[key] for key in sorted(known)]
        if team.chief:
            for name, content in report.write_report(everything, experiment.margin).items():
                run.write(name, content)
        matching = report.smallest_matching(rows, experiment.margin)
        exported = choosing.export(run, chosen.tickets(rows), lab, team.chief)
    summaries = report.summarise(everything, experiment.margin)
    return Found(run.directory, everything, summaries, exported, matching)


def _report(lab: Laboratory, run: Run, found: Found) -> Path | None:
    """The page of the report; a search that is done is not lost because nobody can draw it."""
    try:
        command = records.command(lab.experiment)
        return reporting.after_search(lab, run.directory, command, found.rows).page
    except Exception as e:
        print(
            f'note: the report was not written ({type(e).__name__}: {e}): tools/report '
            f'{run.directory} writes it',
            file=sys.stderr,
            flush=True,
        )
        return None


def _timings(run: Run, progress: Progress) -> str:
    """Seconds per training; those of earlier processes of this run are kept."""
    try:
        before = json.loads((run.directory / TIMINGS).read_text())
    except (OSError, ValueError):
        before = {}
    now = {
        name: {'total': seconds, **progress.parts.get(name, {})}
        for name, seconds in progress.seconds.items()
    }
    return json.dumps({**before, **now}, indent=1) + '\n'
