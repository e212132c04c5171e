"""Whether two runs find the same tickets: float32 beside a 16-bit precision, say.

Example: python -m tools.benchmarks.agreement RUN OTHER --out=docs/records/precision.json
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lth_keras import artefact, errors
from lth_keras.mask import Mask

FORMAT, VERSION = 'lth_keras.agreement', 1
RECORD = pathlib.PurePath('docs', 'records', 'precision.json')


def overlap(one: Mask, other: Mask) -> float:
    """Kept by both as a share of those kept by either.

    >>> overlap(Mask({'a': [1, 1, 0, 0]}), Mask({'a': [1, 0, 1, 0]})) == 1 / 3
    True
    """
    both = sum(int(np.count_nonzero(one[p] & other[p])) for p in one)
    either = sum(int(np.count_nonzero(one[p] | other[p])) for p in one)
    return both / either


def by_chance(one: Mask) -> float:
    """The overlap expected of independent random masks with the same counts in each kernel.

    >>> round(by_chance(Mask({'a': np.arange(4000) < 2000})), 3)
    0.333
    """
    both = sum(kept * kept / one[path].size for path, kept in one.survivors.items())
    return both / (2 * one.kept - both)


def _rows(run: pathlib.Path) -> tuple[dict[str, Any], dict[tuple[int, int], dict[str, Any]]]:
    record = json.loads((run / 'records.json').read_text())
    tickets = [row for row in record['rows'] if row['variant'] == 'ticket']
    return record, {(row['replicate'], row['round']): row for row in tickets}


def _masks(run: pathlib.Path) -> Iterator[tuple[str, Mask]]:
    """(training that was pruned, mask after it) of all prunings of the run's workdir."""
    for folder in sorted((run.parent / 'stages').glob('prune-*')):
        stage = artefact.read(folder, 'prune')
        yield stage.meta['inputs']['training'], Mask(dict(stage.arrays['mask']))


def compare(one: pathlib.Path, other: pathlib.Path) -> dict[str, Any]:
    """What two runs of the same seeds have in common, round by round.

    Raises:
      ValueError: the runs have no round and replicate in common.
    """
    (record, rows), (others, other_rows) = _rows(one), _rows(other)
    masks = [dict(_masks(run)) for run in (one, other)]
    found = []
    for number in sorted({r for _, r in rows} & {r for _, r in other_rows}):
        shared = [rep for rep, r in sorted(rows) if r == number and (rep, r) in other_rows]
        pairs = [(rows[rep, number], other_rows[rep, number]) for rep in shared]
        entry: dict[str, Any] = {
            'round': number,
            'density': pairs[0][0]['density'],
            'accuracy': [row['test_accuracy'] for row, _ in pairs],
            'other_accuracy': [row['test_accuracy'] for _, row in pairs],
        }
        if number:
            # The mask of a round is that after pruning the training of the round before.
            sides = [
                [mask[side[rep, number - 1]['stage']] for rep in shared]
                for mask, side in zip(masks, (rows, other_rows), strict=True)
            ]
            entry['overlap'] = [overlap(a, b) for a, b in zip(*sides, strict=True)]
            entry['overlap_of_seeds'] = [
                overlap(a, b) for a, b in itertools.combinations(sides[0], 2)
            ]
            entry['by_chance'] = by_chance(sides[0][0])
        found.append(entry)
    if not found:
        raise ValueError(f'{one} and {other} have no round in common')
    return {
        'format': FORMAT,
        'version': VERSION,
        'commands': [record['command'], others['command']],
        'names': [r['configuration']['precision'] for r in (record, others)],
        'replicates': len(found[0]['accuracy']),
        'rounds': found,
    }


def table(record: Mapping[str, Any]) -> tuple[list[str], list[list[str]], list[str]]:
    """Header, rows and notes: means over replicates."""
    one, other = record['names']
    header = ['density', f'accuracy, {one}', f'accuracy, {other}', 'largest difference, pp']
    header += ['overlap of masks', 'of two seeds', 'by chance']
    rows = []
    for entry in record['rounds']:
        a, b = np.array(entry['accuracy']), np.array(entry['other_accuracy'])
        cells = [f'{entry["density"]:.3f}', f'{a.mean():.4f}', f'{b.mean():.4f}']
        cells.append(f'{100 * np.abs(a - b).max():.2f}')
        for name in ('overlap', 'overlap_of_seeds', 'by_chance'):
            values = np.atleast_1d(entry.get(name, []))
            cells.append(f'{values.mean():.3f}' if values.size else '')
        rows.append(cells)
    notes = [f'{record["replicates"]} replicates; test accuracy at the early-stop iteration']
    notes += [f'`{command}`' for command in record['commands']]
    return header, rows, notes


def main() -> int:
    """Compares two runs and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('run', type=pathlib.Path)
    parser.add_argument('other', type=pathlib.Path)
    parser.add_argument('--out', type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        found = compare(arguments.run, arguments.other)
    except (OSError, ValueError, errors.LotteryError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    arguments.out.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
