"""A finished run in, tables and figures of every analysis out."""

from collections.abc import Mapping, Sequence
from typing import Any

from lth_keras import errors, files
from lth_keras.analysis import drawing, reading, writing
from lth_keras.analysis.base import Analysis
from lth_keras.report import tables_csv

FOLDER = 'analysis'
PARTS = ('train', 'validation')


def looked_at(
    finished: reading.FinishedRun,
    kinds: Mapping[str, type[Analysis]],
    rounds: Sequence[int],
    replicates: Sequence[int],
    part: str,
) -> dict[str, Any]:
    """What analyses of these kinds find in a finished run, written beside it; see `analyse`."""
    if part not in PARTS:
        hint = errors.did_you_mean(part, PARTS)
        raise errors.ConfigError(f'part: expected train or validation, received {part!r}: {hint}')
    chosen = {
        'rounds': finished.chosen('rounds', rounds),
        'replicates': finished.chosen('replicates', replicates),
    }
    head = {
        'fingerprint': finished.fingerprint,
        'configuration': finished.lab.identity['configuration'],
    }
    folder = finished.directory / FOLDER
    found = writing.before(folder, head)
    analyses: dict[str, Analysis] = {name: kind(finished.lab, part) for name, kind in kinds.items()}
    for seen in finished.tickets(chosen['rounds'], chosen['replicates']):
        for analysis in analyses.values():
            analysis.add(seen)
    content: dict[str, str | bytes] = {}
    for name, analysis in analyses.items():
        analysis.finish()
        tables = {table: rows for table, rows in analysis.tables.items() if rows}
        found[name] = {**chosen, 'part': part, 'notes': analysis.notes, 'tables': tables}
        content |= {f'{table}.csv': tables_csv.to_csv(rows) for table, rows in tables.items()}
        content[f'{name}.png'] = drawing.png(analysis.draw)
    content[writing.NAME] = writing.to_json(head, found)  # last: it stands for the others
    files.ensure_directory(folder, files.DISK)
    for name, text in content.items():
        files.write_file(folder / name, text)
    return {name: found[name] for name in kinds}
