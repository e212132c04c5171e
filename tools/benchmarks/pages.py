"""The benchmark's tables in README and docs, generated between markers from the record."""

import json
import pathlib
import statistics
from typing import Any

from lth_keras import errors
from lth_keras.report import markdown
from tools.benchmarks import agreement, judging, looking, tables, verdicts

# Strategies and precisions, measured in a run of their own.
WAYS = pathlib.PurePath('docs', 'records', 'benchmark_ways.json')


def update(root: str | pathlib.Path, write: bool) -> list[str]:
    """Generates what stands between `<!-- benchmark:NAME -->` markers.

    The table `precision` is that of `agreement`, from a record of its own.

    Args:
      root: of the checkout.
      write: True replaces what is stale; False leaves every file alone.

    Returns:
      One line per stale (or, with `write`, replaced) block.

    Raises:
      LotteryError: broken markers, a broken record, or a table that it does not have.
    """
    root = pathlib.Path(root)
    path = root / tables.RECORD
    changes = []
    try:
        record = tables.load(path) if path.exists() else None
        for page in [root / 'README.md', *sorted((root / 'docs').glob('*.md'))]:
            if not page.exists():
                continue
            text = page.read_text(encoding='utf-8')
            new, stale = markdown.fill(
                text, lambda marker: _block(root, record, marker.partition(':')[2]), [tables.MARKER]
            )
            changes += [f'{page.relative_to(root).as_posix()}: {marker}' for marker in stale]
            if write and stale:
                page.write_text(new, encoding='utf-8', newline='\n')
    except ValueError as error:
        raise errors.LotteryError(f'{tables.RECORD}: {error}') from error
    return changes


def _block(root: pathlib.Path, record: Any, name: str) -> str:
    path = root / agreement.RECORD
    if name == 'precision' and path.exists():
        found = json.loads(path.read_text(encoding='utf-8'))
        if found.get('format') != agreement.FORMAT or found.get('version') != agreement.VERSION:
            raise ValueError(f'expected {agreement.FORMAT} version {agreement.VERSION} in {path}')
        return tables.markdown(agreement.table(found))
    if name == 'looking' and (root / looking.RECORD).exists():
        return looking.sentence(json.loads((root / looking.RECORD).read_text(encoding='utf-8')))
    if name.startswith('ways_'):
        ways = tables.load(root / WAYS) if (root / WAYS).exists() else None
        return tables.block(ways, name.removeprefix('ways_'))
    if name == 'headline' and record is not None:
        return headline(record)
    return tables.block(record, name)


def headline(record: dict[str, Any]) -> str:
    """One sentence of medians: the masked path inside `fit` beside what else there is."""
    result = next(one for one in record['results']['contest'] if one['network'] == 'lenet')
    rows = result['contestants']
    refused = [name for name, row in rows.items() if row.get('refused')]
    if refused or verdicts.training(result).problems:
        raise ValueError(f'no headline: {", ".join(refused) or "the yardstick"} is refused')

    def times(other: str, own: str = 'library_fit_masked') -> float:
        ratios = judging.ratios(rows[own]['rates'], rows[other]['rates'])
        return statistics.median(ratios)

    rounds, processor = len(rows['fit']['rates']), record['provenance']['processor']
    return (
        f'LeNet-300-100 with masks, inside `fit`: **{times("fit"):.1f} times** as fast as plain '
        f"`fit`, **{times('tfmot'):.1f} times** tfmot's wrapper, **{times('by_hand'):.2f} times** "
        'a compiled loop written by hand without Keras; in a search '
        f'{times("by_hand", "library_masked"):.2f} times that loop (medians of {rounds} rounds on '
        f'{processor["processors"]} cores).\n'
    )
