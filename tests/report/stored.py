"""Runs on disk without a training: records, curves, timings, written as a search would."""

import json
from pathlib import Path

import numpy as np

from lth_keras import artefact, digests
from lth_keras.artefact import Artefact

HEADER = 'step,train_loss,train_accuracy,validation_loss,validation_accuracy'


def curve(row, evaluations, test=False):
    """The text of a curve whose validation loss is least at the row's early stop."""
    steps = np.linspace(0, row['training_steps'], evaluations + 1)[1:].astype(int)
    early = row['early_stop_step']
    far = np.abs(np.log(steps / early))
    columns = [0.3 * far + 0.01, 0.99 - 0.05 * far, 0.07 + 0.1 * far, 0.98 - 0.04 * far]
    header = HEADER
    if test:
        header += ',test_loss,test_accuracy'
        columns += [0.08 + 0.1 * far, 0.979 - 0.04 * far]
    # The early-stop iteration is an evaluation, and the first row has no training before it.
    lines = [header]
    for i, step in enumerate(sorted({*steps.tolist(), early})):
        at = min(i, len(steps) - 1)
        numbers = [repr(float(column[at])) for column in columns]
        if i == 0:
            numbers[:2] = ['', '']
        lines.append(','.join([str(step), *numbers]))
    return '\n'.join(lines) + '\n'


def write_run(
    workdir, rows, name='tickets-0123456789', evaluations=20, settings=None, **provenance
):
    """A run directory with these rows, and the stages that they name; returns its path."""
    workdir = Path(workdir)
    test = provenance.pop('test', False)
    run = workdir / name
    run.mkdir(parents=True)
    configuration = {'model': 'lenet_300_100', 'dataset': 'mnist', **(settings or {})}
    fingerprint = name.rpartition('-')[2]
    identity = {'configuration': configuration, 'digests': {}, 'engine': 'plain', 'threads': 2}
    record = {'label': name.rpartition('-')[0], 'fingerprint': fingerprint, 'identity': identity}
    (run / 'run.json').write_text(json.dumps(record))
    write_records(run, rows, configuration, fingerprint)
    times = {
        f'replicate {r["replicate"]} round {r["round"]} {r["variant"]}'
        + (f' draw {r["draw"]}' if r['draw'] else ''): {
            'total': 3.0,
            'steps': 2.0,
            'evaluation': 0.5,
        }
        for r in rows
    }
    (run / 'timings.json').write_text(json.dumps(times))
    (run / 'provenance.json').write_text(json.dumps({'outcome': 'finished', **provenance}))
    for row in rows:
        write_stage(workdir, row['stage'], curve(row, evaluations, test))
    return run


def write_records(run, rows, configuration, fingerprint='0123456789'):
    record = {
        'format': 'lth_keras.records',
        'version': 1,
        'checksum': digests.digest(rows),
        'command': 'tools/lottery --model=lenet_300_100',
        'configuration': {**configuration, 'fingerprint': fingerprint, 'margin': 0.005},
        'identity': {'engine': 'plain', 'threads': 2, 'versions': {'numpy': '2'}},
        'rows': rows,
    }
    (run / 'records.json').write_text(json.dumps(record))


def write_stage(workdir, stage, text):
    """A stage with its curve alone; unsynced, since thousands of them are made."""
    folder = Path(workdir) / 'stages' / stage
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in artefact.encode(Artefact('train', {}, {}, {'curve.csv': text})).items():
        (folder / name).write_bytes(data)
