"""Tables of README and docs, generated between markers from committed records."""

import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from lth_keras import errors, verdict
from lth_keras.allocation import ROUNDINGS
from lth_keras.controls import CONTROLS
from lth_keras.criteria import CRITERIA
from lth_keras.data import DATASETS
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.data.changes import LABEL_NOISES, NORMALISATIONS
from lth_keras.initializers import INITIALIZERS
from lth_keras.learning_rates import LEARNING_RATES
from lth_keras.models import MODELS
from lth_keras.optimizers import OPTIMIZERS
from lth_keras.procedures import PROCEDURES
from lth_keras.records import FORMAT, VERSION
from lth_keras.registry import Registry
from lth_keras.report.claims import claims_table
from lth_keras.report.figures import FIGURES
from lth_keras.report.measured import measured_table
from lth_keras.report.plots import result_png
from lth_keras.report.recipes import LENET
from lth_keras.report.reproduction import recipes_table, reproduction_table
from lth_keras.report.summary import summarise
from lth_keras.report.table import markdown_table
from lth_keras.stopping import STOP_RULES
from lth_keras.strategies import STRATEGIES

RECORDS = pathlib.PurePath('docs', 'records')

KINDS = ('table', 'claims', 'registry', 'paper', 'analysis')


def load_record(path: str | pathlib.Path) -> dict[str, Any]:
    """The content of a `records.json`, its format checked.

    Raises:
        StoreError: missing, not JSON, another format or version, or without rows.
    """
    try:
        record = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise errors.StoreError(f'expected records in {path}, received: {error}') from error
    found = (record.get('format'), record.get('version')) if isinstance(record, dict) else None
    if found != (FORMAT, VERSION):
        raise errors.StoreError(
            f'expected {FORMAT} version {VERSION} in {path}, received {found}; write it anew'
        )
    missing = [key for key in ('rows', 'command', 'commit') if not record.get(key)]
    if missing:
        raise errors.StoreError(f'expected {", ".join(missing)} in {path}, received none')
    return record


def record_block(record: dict[str, Any]) -> str:
    """The Markdown of one record: its table, and the command and commit beneath it.

    >>> row = dict(replicate=0, round=0, variant='ticket', draw=0, density=1.0, test_accuracy=0.8,
    ...            validation_accuracy=0.9, validation_loss=0.3, final_test_accuracy=0.75,
    ...            early_stop_step=100)
    >>> print(record_block({'rows': [row], 'command': 'run --rounds=0', 'commit': '0123abc'}))
    | round | density | test accuracy | early stop | final accuracy |
    | ---: | ---: | ---: | ---: | ---: |
    | 0 | 1.000 | 0.8000 | 100 | 0.7500 |
    <BLANKLINE>
    - one replicate: no confidence interval
    <BLANKLINE>
    Recorded at commit `0123abc` with
    <BLANKLINE>
    ```sh
    run --rounds=0
    ```
    <BLANKLINE>
    """
    table = markdown_table(summarise(record['rows'], _margin(record)))
    command = record['command'].strip()
    return f'{table}\nRecorded at commit `{record["commit"]}` with\n\n```sh\n{command}\n```\n'


def fill(
    text: str, render: Callable[[str], str], kinds: Sequence[str] = KINDS
) -> tuple[str, list[str]]:
    """Replaces every block between markers (`table:NAME`, `claims:NAME`) by `render(marker)`.

    Args:
        text: a Markdown page.
        render: marker -> content of the block, ending in a newline.
        kinds: of the markers that are meant; others are left alone.

    Returns:
        The new text, and the names of the blocks that changed.

    Raises:
        LotteryError: an opening marker without its closing one, or the reverse.

    >>> page = 'a\\n<!-- table:x -->\\nold\\n<!-- /table:x -->\\nb\\n'
    >>> fill(page, lambda name: f'new {name}\\n')
    ('a\\n<!-- table:x -->\\nnew table:x\\n<!-- /table:x -->\\nb\\n', ['table:x'])
    """
    pieces, stale, position = [], [], 0
    opened: re.Match | None = None
    # Alone on their lines only, so that a sentence may mention a marker.
    markers = rf'^<!-- (/?)((?:{"|".join(kinds)}):[\w-]+) -->[ \t]*$'
    for marker in re.finditer(markers, text, re.MULTILINE):
        closing, name = marker[1] == '/', marker[2]
        if closing != (opened is not None) or (opened and opened[2] != name):
            expected = f'<!-- /{opened[2]} -->' if opened else 'an opening marker'
            line = text.count('\n', 0, marker.start()) + 1
            raise errors.LotteryError(f'line {line}: expected {expected}, received {marker[0]}')
        if not closing:
            opened = marker
            pieces.append(text[position : marker.end()])
        else:
            content = '\n' + render(name)
            if text[opened.end() : marker.start()] != content:
                stale.append(name)
            pieces.append(content)
            position, opened = marker.start(), None
    if opened:
        raise errors.LotteryError(f'expected <!-- /{opened[2]} -->, received the end of file')
    return ''.join([*pieces, text[position:]]), stale


REGISTRIES: dict[str, Registry] = {
    registry.kind.replace(' ', '-'): registry
    for registry in (
        *(MODELS, DATASETS, AUGMENTATIONS, PROCEDURES, CRITERIA, CONTROLS),
        *(OPTIMIZERS, STRATEGIES, INITIALIZERS, LEARNING_RATES, LABEL_NOISES, NORMALISATIONS),
        *(STOP_RULES, ROUNDINGS, FIGURES),
    )
}


def registry_block(kind: str) -> str:
    """The Markdown table of a registry: the flag's values and what they mean.

    >>> print(registry_block('criterion'))
    | criterion | |
    | :--- | :--- |
    | `large_final` | Final magnitude: keeps the weights that end training far from zero. |
    <BLANKLINE>
    """
    if kind not in REGISTRIES:
        raise errors.LotteryError(
            f'no registry of kind {kind!r}; {errors.did_you_mean(kind, REGISTRIES)}'
        )
    registry = REGISTRIES[kind]
    rows = [f'| `{name}` | {registry.summary(name)} |' for name in registry]
    return '\n'.join([f'| {kind} | |', '| :--- | :--- |', *rows]) + '\n'


BLOCKS = {'table': record_block, 'claims': lambda record: claims_table(record['rows'], LENET)}
# Tables over all records: the marker is <!-- paper:NAME -->.
PAPER = {'frankle2019': reproduction_table, 'recipes': recipes_table}


def update(root: str | pathlib.Path, write: bool) -> list[str]:
    """Generates the tables of `README.md` and `docs/*.md` and the figures of the records.

    Args:
        root: of the checkout.
        write: True replaces what is stale; False leaves every file alone. A figure's bytes depend
            on matplotlib's version, so it is stale only if it is missing.

    Returns:
        One line per stale (or, with `write`, replaced) block or figure.

    Raises:
        LotteryError: a marker that names no record, broken markers, or a broken record.
    """
    root = pathlib.Path(root)
    records = {
        path.parent.name: load_record(path)
        for path in sorted(root.glob(f'{RECORDS}/*/*.json'))
        if path.name == 'records.json'
    }

    def render(marker: str) -> str:
        kind, name = marker.split(':')
        if kind == 'registry':
            return registry_block(name)
        if kind == 'paper':
            if name not in PAPER:
                hint = errors.did_you_mean(name, PAPER)
                raise errors.LotteryError(f'no table of a paper {name!r}; {hint}')
            return PAPER[name](records, root)
        if kind == 'analysis':
            return measured_table(root / RECORDS / name)
        if name not in records:
            raise errors.LotteryError(
                f'expected {RECORDS / name}/records.json of marker {marker}, received no such '
                f'file; {errors.did_you_mean(name, records)}'
            )
        return BLOCKS[kind](records[name])

    changes = []
    for page in [root / 'README.md', *sorted((root / 'docs').glob('*.md'))]:
        if not page.exists():
            continue
        place = page.relative_to(root).as_posix()
        text = page.read_text(encoding='utf-8')
        try:
            new, stale = fill(text, render)
        except errors.LotteryError as error:
            raise errors.LotteryError(f'{place}: {error}') from error
        changes += [f'{place}: {marker}' for marker in stale]
        if write and stale:
            page.write_text(new, encoding='utf-8', newline='\n')
    for name, record in records.items():
        figure = root / RECORDS / name / 'result.png'
        if write:
            new_png = result_png(summarise(record['rows'], _margin(record)))
            if figure.exists() and figure.read_bytes() == new_png:
                continue
            figure.write_bytes(new_png)
        elif figure.exists():
            continue
        changes.append(figure.relative_to(root).as_posix())
    return changes


def _margin(record: dict[str, Any]) -> float:
    """The margin that the run was judged with."""
    return record.get('configuration', {}).get('margin', verdict.MARGIN)
