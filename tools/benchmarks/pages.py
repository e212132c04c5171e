"""The benchmark's tables in README and docs, generated between markers from the record."""

import pathlib

from lth_keras import errors
from lth_keras.report import markdown
from tools.benchmarks import tables


def update(root: str | pathlib.Path, write: bool) -> list[str]:
    """Generates what stands between `<!-- benchmark:NAME -->` markers.

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
                text, lambda marker: tables.block(record, marker.partition(':')[2]), [tables.MARKER]
            )
            changes += [f'{page.relative_to(root).as_posix()}: {marker}' for marker in stale]
            if write and stale:
                page.write_text(new, encoding='utf-8', newline='\n')
    except ValueError as error:
        raise errors.LotteryError(f'{tables.RECORD}: {error}') from error
    return changes
