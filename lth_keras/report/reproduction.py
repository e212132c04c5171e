"""Every published claim of Frankle & Carbin 2019 beside what its recipe measured here."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lth_keras.report.claims import judged
from lth_keras.report.recipes import RECIPES, Recipe

FLAGFILES = pathlib.PurePath('experiments', 'flagfiles', 'frankle2019')
# What JPEG-re-encoded CIFAR-10 is called; every committed record on CIFAR-10 was made with it.
NOTES = {'cifar10': 'JPEG-re-encoded CIFAR-10'}


def reproduction_table(records: Mapping[str, dict[str, Any]], root: pathlib.Path) -> str:
    """A Markdown table: claim, what was measured, whether it agrees, with which recipe, how small.

    Args:
      records: name -> record, all that are committed.
      root: of the checkout, for the flagfiles.
    """
    lines = [
        '| Frankle & Carbin 2019 | measured here | | recipe | smaller than the paper |',
        '| :--- | :--- | :--- | :--- | :--- |',
    ]
    for recipe in RECIPES:
        rows: Sequence[Any] = records.get(recipe.name, {}).get('rows', [])
        size = smaller(recipe, rows, root)
        for claim in recipe.claims:
            others = records.get(claim.record, {}).get('rows', []) if claim.record else rows
            measured, agrees = judged(claim, rows, others)
            lines.append(f'| {claim.text} | {measured} | {agrees} | `{recipe.name}` | {size} |')
            size = '"'
    return '\n'.join(lines) + '\n'


def flags_of(name: str, root: pathlib.Path) -> dict[str, str]:
    """The flags of a recipe's flagfile."""
    text = (root / FLAGFILES / f'{name}.txt').read_text(encoding='utf-8')
    lines = [line.strip() for line in text.split('\n')]
    pairs = [line.removeprefix('--').partition('=') for line in lines if line.startswith('--')]
    return {flag: value for flag, _, value in pairs}


def smaller(recipe: Recipe, rows: Sequence[Any], root: pathlib.Path) -> str:
    """How the recipe differs in size from the paper's, in words."""
    mine = flags_of(recipe.name, root)
    paper = flags_of(recipe.paper or recipe.name, root)
    found = []
    if mine['training_steps'] != paper['training_steps']:
        found.append(f'{_thousands(mine)} of {_thousands(paper)} steps')
    for flag, text in (
        ('width', '{} of the width'),
        ('train_examples', '{} training images'),
        ('precision', '{}'),
    ):
        if flag in mine:
            found.append(text.format(mine[flag]))
    if mine.get('rate') != paper.get('rate'):
        found.append(f'{mine["rate"]} instead of {paper["rate"]} a round')
    replicates = len({row['replicate'] for row in rows})
    if replicates < recipe.trials:
        found.append(f'{replicates} of {recipe.trials} trials')
    if mine['dataset'] in NOTES:
        found.append(NOTES[mine['dataset']])
    return ', '.join(found) or 'no'


def _thousands(flags: Mapping[str, str]) -> str:
    return f'{int(flags["training_steps"]):,}'


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
