"""The list of a work directory, as a table for a person and as JSON for a program."""

import dataclasses
import json
from pathlib import Path

from lth_keras import outcome
from lth_keras.inventory import text
from lth_keras.inventory.entries import Entry, entries, ordered
from lth_keras.inventory.looking import size_of
from lth_keras.inventory.planning import left
from lth_keras.inventory.scanning import WorkDirectory, scan

_HEADER = ('name', 'model', 'data', 'density', 'accuracy', 'verdict', 'size', 'age')
_RIGHT = ('density', 'accuracy', 'size', 'age')
_NOTES = {'run': 'no ticket exported', 'not exported': 'not exported'}


def listing(
    workdir: str | Path, sort: str = 'name', everything: bool = False, as_json: bool = False
) -> str:
    """A line per ticket and per run without one, and the totals.

    Args:
      workdir: the work directory.
      sort: one of `entries.ORDERS`.
      everything: also a line for each trained round that was not exported.
      as_json: for a program: an object with 'tickets' (full names, every number) and 'totals'.

    Raises:
      StoreError: there is no such directory.
    """
    work = scan(workdir)
    found = ordered(entries(work, everything), sort)
    if as_json:
        lines = [dataclasses.asdict(entry) for entry in found]
        return json.dumps({'tickets': lines, 'totals': totals(work)}, indent=1, allow_nan=False)
    said = []
    if found:
        *cells, notes = zip(*map(_cells, found), strict=True)
        table = text.table(_HEADER, list(zip(*cells, strict=True)), _RIGHT)
        width = max(map(len, table))
        said = [
            f'{line.ljust(width)}  {note}'.rstrip()
            for line, note in zip(table, ['', '', *notes], strict=True)
        ]
    return '\n'.join([*said, *([''] if said else []), *_totals(work)])


def shown_name(entry: Entry) -> str:
    """The name without what the columns beside it repeat; every command takes it.

    >>> shown_name(Entry('mlp-digits-resetting-c98d/round-01-replicate-1', 'x', 'mlp', 'digits'))
    'resetting-c98d/round-01-replicate-1'
    """
    return entry.name.removeprefix(f'{entry.model}-{entry.data}-')


def _cells(entry: Entry) -> tuple[str, ...]:
    note = _NOTES.get(entry.state, '')
    if entry.state == 'run' and entry.outcome not in ('', outcome.RUNNING, outcome.FINISHED):
        note = f'{note}; {entry.outcome}'
    working = f'in use by pid {entry.working}' if entry.working else ''
    broken = f'! {entry.problem}' if entry.problem else ''
    return (
        shown_name(entry),
        entry.model,
        entry.data,
        text.fraction(entry.density),
        text.fraction(entry.test_accuracy),
        entry.verdict,
        text.size(entry.size),
        text.age(entry.age),
        '; '.join(filter(None, [working, '' if broken else note, broken])),
    )


def totals(work: WorkDirectory) -> dict[str, int]:
    """Numbers and bytes of runs, tickets, stages, and of stages that no run mentions."""
    unused = work.unused
    return {
        'runs': len(work.runs),
        'runs_size': sum(size_of(run.directory) for run in work.runs.values()),
        'tickets': len(work.tickets),
        'tickets_size': sum(size_of(ticket.folder) for ticket in work.tickets.values()),
        'stages': len(work.stages),
        'stages_size': sum(stage.size for stage in work.stages.values()),
        'unused_stages': len(unused),
        'unused_stages_size': sum(stage.size for stage in unused),
        'temporary': len(work.temporary),
        'temporary_size': sum(map(size_of, work.temporary)),
    }


def _totals(work: WorkDirectory) -> list[str]:
    n = totals(work)

    def part(name: str, *noun: str) -> str:
        return f'{text.counted(n[name], *noun)}, {text.size(n[f"{name}_size"])}'

    lines = [part('runs', 'run')]
    if n['tickets']:
        lines[0] += f'; {part("tickets", "exported ticket")} of it'
    stages = part('stages', 'stage')
    if n['unused_stages']:
        stages += (
            f'; {n["unused_stages"]:,} of them, {text.size(n["unused_stages_size"])}, '
            'that no run mentions'
        )
    lines.append(stages)
    if n['temporary']:
        lines.append(
            f'{part("temporary", "temporary directory", "temporary directories")}: '
            'being written now, or left by a process that was killed'
        )
    begun = left(work)
    if begun:
        lines.append(
            f'{text.counted(len(begun), "thing")} of a removal that was killed: the same command, '
            'or another removal, completes it'
        )
    unsure = [text.clean(name) for name, run in work.runs.items() if not run.known]
    if unsure and n['unused_stages']:
        lines.append(f'which stages {", ".join(unsure)} mentions cannot be known')
    foreign = [p for p in work.foreign if p.parent != work.path]
    if foreign:
        lines.append(f'{text.counted(len(foreign), "thing")} among the stages that are none')
    return lines
