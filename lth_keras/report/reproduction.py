"""Every published claim of Frankle & Carbin 2019 beside what its recipe measured here."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lth_keras.report.claims import judged
from lth_keras.report.recipes import RECIPES, Recipe

FLAGFILES = pathlib.PurePath('experiments', 'flagfiles', 'frankle2019')
# Settings that make an experiment another size or another course, with their defaults.
SIZES: Mapping[str, Any] = {
    **{'training_steps': 2000, 'eval_every': 100, 'batch_size': 60, 'width': 1.0},
    **{'train_examples': 'all', 'validation_examples': '5000', 'precision': 'float32'},
    **{'rate': 0.2, 'conv_rate': 'none', 'output_rate': 'none', 'warmup_steps': 0},
    **{'learning_rate_boundaries': 'none'},
}
NO = ('none', 'all')


def reproduction_table(records: Mapping[str, dict[str, Any]], root: pathlib.Path) -> str:
    """A Markdown table: claim, what was measured, whether it agrees, with which recipe, how small.

    Args:
      records: name -> record, all that are committed.
      root: of the checkout, for the flagfiles.
    """
    lines = [
        '| claim | says | measured here | | recipe | other than in the paper |',
        '| :--- | :--- | :--- | :--- | :--- | :--- |',
    ]
    for recipe in RECIPES:
        record = records.get(recipe.name, {})
        rows: Sequence[Any] = record.get('rows', [])
        size = differences(recipe, record, root)
        for claim in recipe.claims:
            others = records.get(claim.record, {}).get('rows', []) if claim.record else rows
            measured, agrees = judged(claim, rows, others)
            cells = (claim.text, claim.source, measured, agrees, f'`{recipe.name}`', size)
            lines.append('| ' + ' | '.join(cells) + ' |')
            size = '"'
    return '\n'.join(lines) + '\n'


def flags_of(name: str, root: pathlib.Path) -> dict[str, str]:
    """The flags of a recipe's flagfile."""
    text = (root / FLAGFILES / f'{name}.txt').read_text(encoding='utf-8')
    lines = [line.strip() for line in text.split('\n')]
    pairs = [line.removeprefix('--').partition('=') for line in lines if line.startswith('--')]
    return {flag: value for flag, _, value in pairs}


def differences(recipe: Recipe, record: Mapping[str, Any], root: pathlib.Path) -> str:
    """In which settings of size the recipe (as it was recorded) is not the paper's, in words."""
    mine: Mapping[str, Any] = {
        **flags_of(recipe.name, root),
        **record.get('configuration', {}),
    }
    paper = flags_of(recipe.paper or recipe.name, root)
    found = []
    for name in SIZES:
        one, other = (_text(side.get(name) or SIZES[name]) for side in (mine, paper))
        if one != other:
            found.append(f'{name} {one}' + (f' (paper {other})' if other not in NO else ''))
    replicates = len({row['replicate'] for row in record.get('rows', [])})
    if replicates < recipe.trials:
        found.append(f'{replicates} of {recipe.trials} trials')
    return ', '.join([*found, *([record['note']] if record.get('note') else [])]) or 'no'


def _text(value: Any) -> str:
    """A setting as flagfiles write it: 0.1 and '0.10' are the same."""
    if isinstance(value, list | tuple):
        return ','.join(map(str, value))
    try:
        return f'{float(value):g}'
    except (TypeError, ValueError):
        return str(value)


def recipes_table(records: Mapping[str, dict[str, Any]], root: pathlib.Path) -> str:
    """A Markdown table of all flagfiles: what each is, and how many replicates are recorded."""
    lines = ['| recipe | | replicates recorded |', '| :--- | :--- | ---: |']
    for path in sorted((root / FLAGFILES).glob('*.txt')):
        said = []
        for line in path.read_text(encoding='utf-8').split('\n'):
            if not line.startswith('# ') or line.startswith('# Needs'):
                break
            said.append(line.removeprefix('# '))
        swept = [r for name, r in records.items() if name.startswith(f'{path.stem}-')]
        found = [records[path.stem]] if path.stem in records else swept
        counts = [len({row['replicate'] for row in record['rows']}) for record in found]
        lines.append(f'| `{path.stem}` | {" ".join(said)} | {max(counts, default=0)} |')
    return '\n'.join(lines) + '\n'
