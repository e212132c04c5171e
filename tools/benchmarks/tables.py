"""Tables of a benchmark: for the terminal, and for docs/performance.md between markers."""

import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tools.benchmarks import verdicts
from tools.benchmarks.contestants import CEILING, EVALUATION, TRAINING, YARDSTICK
from tools.benchmarks.judging import Spread

FORMAT, VERSION = 'lth_keras.benchmark', 1
RECORD = pathlib.PurePath('docs', 'records', 'benchmark.json')
MARKER = 'benchmark'  # <!-- benchmark:NAME --> ... <!-- /benchmark:NAME -->
NO_RECORD = 'No run is recorded yet.\n'
SMOKE = 'a smoke run: its slices are too short, the ratios mean nothing'

TITLES = {one.name: one.title for one in (*TRAINING, *EVALUATION)}
Table = tuple[list[str], list[list[str]], list[str]]  # header, rows, notes


def markdown(table: Table) -> str:
    """The table with pipes, its notes as a list.

    >>> print(markdown((['path', 'steps/s'], [['fit', '532']], ['quiet'])))
    | path | steps/s |
    | :--- | ---: |
    | fit | 532 |
    <BLANKLINE>
    - quiet
    <BLANKLINE>
    """
    header, rows, notes = table
    lines = [['---:'] * len(header), *rows]
    lines[0] = [':---', *lines[0][1:]]
    text = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in [header, *lines]) + '\n'
    return text + ''.join(['\n', *(f'- {note}\n' for note in notes)] if notes else [])


def plain(table: Table) -> str:
    """The same for a terminal.

    >>> print(plain((['path', 'steps/s'], [['`fit`', '532']], ['quiet'])))
    path  steps/s
    fit       532
    quiet
    <BLANKLINE>
    """
    header, rows, notes = table
    cells = [[cell.replace('`', '') for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]
    notes = [note.replace('`', '') for note in notes]
    return ''.join(f'{line.rstrip()}\n' for line in [*lines, *notes])


def ratio(values: Sequence[float] | None) -> str:
    """Median and quartiles; empty without values.

    >>> ratio([0.9, 1.0, 0.8]), ratio(None)
    ('0.90 [0.85, 0.95]', '')
    """
    if not values:
        return ''
    spread = Spread.of(values)
    return f'{spread.median:.2f} [{spread.low:.2f}, {spread.high:.2f}]'


def rate(values: Sequence[float]) -> str:
    """Median and quartiles of rates, with three digits or none behind the point.

    >>> rate([1650.0, 1600.0]), rate([10.0])
    ('1,625 [1,612, 1,638]', '10.0 [10.0, 10.0]')
    """
    spread = Spread.of(values)
    digits = 0 if spread.median >= 100 else 1
    return f'{spread.median:,.{digits}f} [{spread.low:,.{digits}f}, {spread.high:,.{digits}f}]'


def contest(result: Mapping[str, Any], judges_speed: bool = True) -> Table:
    """The training paths of one network."""
    compared = verdicts.training(result, judges_speed)
    header = ['path', 'steps/s', 'CPU ms/step']
    header += ['of by hand'] if compared.by_hand else []
    header += ['of best `fit`', 'peak MB', 'grown by MB', f'apart at {result["check"]}']
    rows = []
    for name in in_order(result['contestants']):
        row = result['contestants'][name]
        is_ceiling = name == CEILING
        rates = [r / compared.flops for r in row['rates']] if is_ceiling else row['rates']
        processor = row['processor']
        milliseconds = Spread.of(processor).median * (compared.flops if is_ceiling else 1) * 1e3
        memory = row['memory']
        line = [TITLES[name], rate(rates), f'{milliseconds:.2f}']
        line += [ratio(compared.by_hand.get(name))] if compared.by_hand else []
        line += [
            ratio(compared.to_fit.get(name)),
            f'{memory["peak"] / 1e6:,.0f}',
            f'{(memory["peak"] - memory["base"]) / 1e6:,.0f}',
            'refused' if row.get('refused') else _apart(row),
        ]
        rows.append(line)
    return header, rows, _contest_notes(result, compared)


def in_order(names: Iterable[str]) -> list[str]:
    """Contestants in the order of the table; a record has them by name.

    >>> in_order({'ceiling': 1, 'fit': 2})
    ['fit', 'ceiling']
    """
    return sorted(names, key=list(TITLES).index)


def _apart(row: Mapping[str, Any]) -> str:
    return f'{row["difference"]:.0e}' if 'difference' in row else ''


def _contest_notes(result: Mapping[str, Any], compared: verdicts.Compared) -> list[str]:
    rows = result['contestants']
    count = len(next(iter(rows.values()))['rates'])
    apart = max((r.get('difference_at_end', 0.0) for r in rows.values()), default=0.0)
    notes = [
        f'median and quartiles of {count} rounds of {result["slice"]:,} steps each; ratios are '
        'taken per round',
        f'batches of {result["batch_size"]}, {result["examples"]:,} examples ({result["data"]}), '
        f'{result["weights"]:,} weights, {result["masked"]:,} of them under a mask of density 0.2',
        f'one step: {compared.flops / 1e6:,.1f} MFLOP in matrix products',
        f'apart: from the weights of plain `fit` (masked: with a constraint) after '
        f'{result["check"]} steps, in units of the way that they went; at most '
        f'{result["tolerance"]:g}. After all {result["steps"]:,} steps up to {apart:.0e}: '
        'rounding has grown',
    ]
    if CEILING in rows:
        best = rows[CEILING]
        speed = Spread.of(best['rates']).median / 1e9
        notes.append(f'best matrix product: {best["product"]}, {speed:,.0f} GFLOP/s')
    if compared.share:
        notes.append(f'by hand, of the best matrix product: {ratio(compared.share)}')
    notes += [
        f'masked over dense, {TITLES[n]}: {ratio(v)}' for n, v in sorted(compared.pairs.items())
    ]
    return notes + [f'refused: {problem}' for problem in compared.problems]


def evaluation(results: Sequence[Mapping[str, Any]]) -> Table:
    """Evaluation of the validation part beside the bare forward pass."""
    header = ['network', 'path', 'evaluation ms', 'forward pass ms', 'ratio', 'GFLOP/s']
    rows, notes = [], []
    for result in results:
        bare, times, problems = verdicts.evaluation(result)
        own, other = result['contestants']['evaluation'], result['contestants'][bare]
        medians = [Spread.of(row['rates']).median for row in (own, other)]
        speed = verdicts.evaluation_flops(result) * medians[0] / 1e9
        rows.append(
            [
                *(result['network'], own['engine']),
                *(f'{1e3 / median:.1f}' for median in medians),
                *(ratio(times), f'{speed:,.0f}'),
            ]
        )
        notes += [f'refused: {problem}' for problem in problems]
    images = sorted({f'{result["validation"]:,}' for result in results})
    return header, rows, [f'{", ".join(images)} images', *notes]


def search(results: Mapping[str, Any]) -> Table:
    """Whole searches: where their time goes."""
    header = ['search', 'trainings', 'seconds', 'steps', 'evaluation', 'around', 'start-up', 'rest']
    header.append('not steps or evaluation')
    rows, notes = [], []
    for name, found in results.items():
        start_up = min(found['start_up'], found['outside'])
        parts = [found[part] for part in ('wall', 'steps', 'evaluation', 'around')]
        parts += [start_up, found['outside'] - start_up]
        share = 1 - (found['steps'] + found['evaluation']) / found['wall']
        cells = [f'{seconds:.1f}' for seconds in parts]
        rows.append([name, f'{found["trainings"]}', *cells, f'{share:.3f}'])
        flags = ' '.join(f'--{key}={value}' for key, value in found['flags'].items())
        notes.append(f'{name}: `tools/lottery {flags}`')
    notes += [
        'steps and evaluation include compiling; around them: building, resetting, snapshots; '
        'start-up: until the flags are read; rest: data, pruning, saving, report, export'
    ]
    return header, rows, notes


def widths(results: Sequence[Mapping[str, Any]]) -> Table:
    """Steps per second against width."""
    shown = ('fit_jit', 'library_masked', YARDSTICK)
    names = [name for name in in_order(results[0]['contestants']) if name in shown]
    header = ['width', 'MFLOP/step', *(f'{TITLES[name]}, steps/s' for name in names), 'of best']
    rows = []
    for result in results:
        compared = verdicts.training(result, judges_speed=False)
        cells = [f'{Spread.of(result["contestants"][n]["rates"]).median:,.0f}' for n in names]
        rows.append(
            [
                result['network'].rpartition(' ')[2],
                *(f'{compared.flops / 1e6:,.0f}', *cells, ratio(compared.share)),
            ]
        )
    return header, rows, ['of best: by hand over the best matrix product']


def runs(results: Sequence[Mapping[str, Any]], key: str) -> Table:
    """Seconds of whole searches against rounds or replicates."""
    header = [key, 'trainings', 'seconds', 'seconds per training', 'outside']
    rows = [
        [
            *(f'{found["flags"][key]}', f'{found["trainings"]}', f'{found["wall"]:.1f}'),
            *(f'{found["wall"] / found["trainings"]:.2f}', f'{found["outside"]:.1f}'),
        ]
        for found in results
    ]
    return header, rows, []


def machine(record: Mapping[str, Any]) -> str:
    """What it ran on, and how to do it again, as Markdown."""
    found = record['provenance']
    processor = found['processor']
    libraries = ', '.join(f'{k} {v}' for k, v in found['libraries'].items())
    words = [
        f'{processor["name"]} ({processor["architecture"]}), {processor["processors"]} processors',
        f'instruction sets {", ".join(processor["instructions"]) or "unknown"}',
        libraries,
        *(f'{name}={value}' for name, value in found['environment'].items()),
        f'load before the start {found["load_before"]}',
    ]
    listed = ''.join(f'- {word}\n' for word in words)
    return (
        f'{listed}\nRecorded on {found["date"][:10]} at commit `{found["commit"]}` with\n\n'
        f'```sh\n{record["command"]}\n```\n'
    )


def blocks(record: Mapping[str, Any]) -> dict[str, Table]:
    """Name -> table, of all that a record has."""
    results = record['results']
    growth = results.get('growth', {})
    found = {
        one['network']: contest(one, not results['smoke']) for one in results.get('contest', [])
    }
    if results.get('evaluation'):
        found['evaluation'] = evaluation(results['evaluation'])
    for key in ('search', 'paper'):
        if results.get(key):
            found[key] = search(results[key])
    if growth.get('widths'):
        found['width'] = widths(growth['widths'])
    for key in ('rounds', 'replicates'):
        if growth.get(key):
            found[key] = runs(growth[key], key)
    return found


def text(record: Mapping[str, Any]) -> str:
    """All tables for a terminal."""
    parts = [f'{name}\n{plain(table)}' for name, table in blocks(record).items()]
    if record['results']['smoke']:
        parts.append(f'{SMOKE}\n')
    return '\n'.join(parts)


def load(path: pathlib.Path) -> dict[str, Any]:
    """A record, its format checked.

    Raises:
      ValueError: it is not one.
    """
    record = json.loads(path.read_text(encoding='utf-8'))
    found = (record.get('format'), record.get('version')) if isinstance(record, dict) else None
    if found != (FORMAT, VERSION):
        raise ValueError(
            f'expected {FORMAT} version {VERSION} in {path}, received {found}; run tools/benchmark'
        )
    missing = [key for key in ('command', 'provenance', 'results') if not record.get(key)]
    if missing:
        raise ValueError(f'expected {", ".join(missing)} in {path}, received none')
    return record


def block(record: Mapping[str, Any] | None, name: str) -> str:
    """The Markdown between the markers of one name.

    Raises:
      ValueError: the record has no such table.
    """
    if record is None:
        return NO_RECORD
    if name == 'machine':
        return machine(record)
    known = blocks(record)
    if name not in known:
        raise ValueError(f'expected one of {", ".join(["machine", *known])}, received {name!r}')
    return markdown(known[name])
