"""`records.json`: one row per training of a run, and the command that makes them."""

import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_keras import digests, errors
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.rounds import CONTINUED
from lth_keras.stages import TICKET
from lth_keras.stopping import STOP_RULES
from lth_keras.store import Store

NAME = 'records.json'
FORMAT, VERSION = 'lth_keras.records', 1

# Where results go and what is shown of them is not part of the search.
_NOT_REPEATED = ('workdir', 'label', 'dry_run', 'download', 'tensorboard', 'report')

Place = tuple[int, int, bool, str, int]


def place(row: Mapping[str, Any]) -> Place:
    """What tells a row of the records from the others; sorts tickets before controls."""
    variant = row['variant']
    return row['replicate'], row['round'], variant != 'ticket', variant, row['draw']


def recorded(run: Path, store: Store) -> dict[Place, dict[str, Any]]:
    """The rows of the run's record whose stages the store still has, by place.

    Raises:
      StoreError: the record is not what was written.
    """
    path = run / NAME
    try:
        record = json.loads(path.read_text())
        rows, intact = record['rows'], record['checksum'] == digests.digest(record['rows'])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, errors.LotteryError):
        rows, intact = [], False
    if not intact:
        raise errors.StoreError(
            f'expected the records of a run in {path}, received something that was changed: '
            'remove it and run the same command again; finished stages are kept'
        )
    return {place(row): row for row in rows if (store.stages / row['stage']).is_dir()}


def to_text(lab: Laboratory, known: Mapping[Place, dict[str, Any]]) -> str:
    """The rows with the configuration and the command that makes them, as JSON."""
    rows = [known[place] for place in sorted(known)]
    configuration = {
        **lab.experiment.configuration(),
        'margin': lab.experiment.margin,
        'fingerprint': lab.fingerprint,
    }
    head = {
        'format': FORMAT,
        'version': VERSION,
        'checksum': digests.digest(digests.plain(rows)),
        'command': command(_covering(lab.experiment, rows)),
        'configuration': configuration,
        'identity': {k: v for k, v in lab.identity.items() if k != 'configuration'},
    }
    lines = ',\n'.join('  ' + json.dumps(row, sort_keys=True) for row in rows)
    return json.dumps(head, sort_keys=True, indent=1)[:-2] + f',\n "rows": [\n{lines}\n ]\n}}\n'


def _covering(experiment: Experiment, rows: list[dict[str, Any]]) -> Experiment:
    """The experiment with as many rounds, replicates and controls as the rows have."""
    controls = [row for row in rows if row['variant'] not in (TICKET, CONTINUED)]
    rounds = sorted({row['round'] for row in rows if row['round']})
    with_controls = sorted({row['round'] for row in controls})
    replicates = [row['replicate'] for row in rows]
    only = experiment.only_rounds and rounds != list(range(1, max(rounds, default=0) + 1))
    rule = experiment.stop_rule if _stopped_by(experiment, rows) else 'never'
    return dataclasses.replace(
        experiment,
        rounds=max(rounds, default=0),
        only_rounds=tuple(rounds) if only else (),
        stop_rule=rule,
        stop_floor=experiment.stop_floor if rule == 'accuracy_floor' else 0.0,
        target_density=experiment.configuration().get('target_density'),
        replicates=1 + max(replicates) - min(replicates),
        first_replicate=min(replicates),
        control_draws=1 + max((row['draw'] for row in controls), default=0),
        controls=tuple(sorted({row['variant'] for row in controls})),
        control_rounds=() if with_controls == rounds else tuple(with_controls),
    )


def _stopped_by(experiment: Experiment, rows: list[dict[str, Any]]) -> bool:
    """Whether the experiment's stop rule trains all of these rows."""
    rule = STOP_RULES.get(experiment.stop_rule)
    tickets = [row for row in rows if row['variant'] == TICKET]
    dense = {row['replicate']: row for row in tickets if row['round'] == 0}
    last = {r: max(t['round'] for t in tickets if t['replicate'] == r) for r in dense}
    return not any(
        rule(row, dense[row['replicate']], experiment.stop_floor, experiment.margin)
        for row in tickets
        if row['replicate'] in dense and 0 < row['round'] < last[row['replicate']]
    )


def command(experiment: Experiment) -> str:
    """The command that repeats the search; folders are left to the reader."""
    given = experiment.dataset == 'given:arrays'  # no command line repeats that
    parts = ['lth_keras.find_tickets' if given else 'tools/lottery']
    for item in dataclasses.fields(experiment):
        value = getattr(experiment, item.name)
        named = item.name in ('model', 'dataset')  # always: tools/lottery has defaults of its own
        if item.name in _NOT_REPEATED:
            continue
        if value == item.default and not named:
            continue
        if item.name == 'data_dir':
            parts.append('--data_dir=$TFDS_DATA_DIR')
            continue
        text = ','.join(str(v) for v in value) if isinstance(value, tuple) else str(value)
        parts.append(f'--{item.name}={shlex.quote(text)}')
    return ' '.join(parts)
