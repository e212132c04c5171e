"""The files of an analysis: one JSON with all numbers, a CSV per table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_keras import digests, errors

NAME = 'analysis.json'
FORMAT, VERSION = 'lth_keras.analysis', 1


def to_json(head: Mapping[str, Any], analyses: Mapping[str, Any]) -> str:
    """All numbers as JSON, one table row per line; no time, host or path.

    Raises:
      StoreError: a value that is not finite.
    """
    top = {'format': FORMAT, 'version': VERSION, **head}
    lines = [f' {json.dumps(k)}: {digests.canonical(v)},' for k, v in sorted(top.items())]
    parts = []
    for name, found in sorted(analyses.items()):
        tables = [
            f'   {json.dumps(table)}: [\n'
            + ',\n'.join('    ' + digests.canonical(row, table) for row in rows)
            + '\n   ]'
            for table, rows in sorted(found['tables'].items())
        ]
        rest = [
            f'   {json.dumps(k)}: {digests.canonical(v)}'
            for k, v in sorted(found.items())
            if k != 'tables'
        ]
        inside = '{\n' + ',\n'.join(tables) + '\n   }' if tables else '{}'
        parts.append(
            f'  {json.dumps(name)}: {{\n' + ',\n'.join([*rest, f'   "tables": {inside}']) + '\n  }'
        )
    return '{\n' + '\n'.join(lines) + '\n "analyses": {\n' + ',\n'.join(parts) + '\n }\n}\n'


def before(directory: Path, head: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier command found in the same run, by name of the analysis.

    Raises:
      StoreError: a file that is not what was written, or of another version or run.
    """
    path = directory / NAME
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        same = {key: found[key] for key in head} == digests.plain(dict(head))
        if same and (found['format'], found['version']) == (FORMAT, VERSION):
            return dict(found['analyses'])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # whatever it is, it is not what was written
    raise errors.StoreError(
        f'expected the analysis of this run in {path}, received something else; remove it and run '
        'the same command again'
    )
