"""A large run on disk without a training: records, curves and timings with made numbers."""

import json
import math
from pathlib import Path

import numpy as np

from lth_keras import artefact, curve, digests
from lth_keras.artefact import Artefact

COLUMNS = ('step', 'train_loss', 'train_accuracy', 'validation_loss', 'validation_accuracy')
STEPS, SIZE = 50_000, 266_200


def write_run(workdir: Path, replicates: int, rounds: int, evaluations: int) -> tuple[Path, int]:
    """Writes a search with a control in each round; returns its directory, and its trainings."""
    rows, kept = [], SIZE
    for number in range(rounds + 1):
        for variant in ('ticket', 'reinit') if number else ('ticket',):
            rows += [_row(r, number, variant, kept) for r in range(replicates)]
        kept -= round(0.2 * kept)
    for i, row in enumerate(rows):
        row['stage'] = f'train-{i:016x}'
        _write_stage(workdir / 'stages' / row['stage'], _curve(row, evaluations))
    run = workdir / 'large-0123456789'
    run.mkdir(parents=True)
    configuration = {'model': 'lenet_300_100', 'dataset': 'mnist', 'procedure': 'resetting'}
    head = {'format': 'lth_keras.records', 'version': 1, 'configuration': configuration}
    identity = {'configuration': configuration}
    record = {'label': 'large', 'fingerprint': '0123456789', 'identity': identity}
    (run / 'run.json').write_text(json.dumps(record))
    content = {**head, 'checksum': digests.digest(rows), 'command': 'made', 'rows': rows}
    (run / 'records.json').write_text(json.dumps(content))
    names = (f'replicate {r["replicate"]} round {r["round"]} {r["variant"]}' for r in rows)
    times = {name: {'total': 3.0, 'steps': 2.0, 'evaluation': 0.5} for name in names}
    (run / 'timings.json').write_text(json.dumps(times))
    return run, len(rows)


def _row(replicate: int, number: int, variant: str, kept: int) -> dict:
    # Fixed irrational steps scatter the values without a random generator.
    wiggle = math.sin(2.4 * replicate + 78.233 * number + len(variant))
    worse = 0.0 if variant == 'ticket' else 0.0004 * number
    accuracy = round(0.981 - worse + 0.0006 * wiggle, 4)
    early = 5000 + 100 * round(5 * wiggle) + (0 if variant == 'ticket' else 300 * number)
    return {
        'replicate': replicate,
        'seed': replicate,
        'round': number,
        'variant': variant,
        'draw': 0,
        'density': kept / SIZE,
        'layers': {'dense/kernel': {'kept': kept, 'size': SIZE}},
        'early_stop_step': early,
        'validation_loss': round(0.07 + worse - 0.001 * wiggle, 5),
        'validation_accuracy': accuracy,
        'test_accuracy': accuracy,
        'final_test_accuracy': round(accuracy - 0.001, 4),
        'training_steps': STEPS,
    }


def _curve(row: dict, evaluations: int) -> str:
    steps = np.linspace(0, STEPS, evaluations + 1)[1:].round()
    far = np.abs(np.log(steps / row['early_stop_step'])) + 0.01 * np.sin(steps)
    values = [0.3 * far + 0.01, 0.99 - 0.05 * far, 0.07 + 0.1 * far, 0.98 - 0.04 * far]
    return curve.to_text(COLUMNS, np.stack([steps, *values], axis=1))


def _write_stage(folder: Path, text: str) -> None:
    """A stage with its curve alone; unsynced, since there are thousands."""
    folder.mkdir(parents=True)
    made = Artefact('train', {}, {}, {curve.NAME: text})
    for name, data in artefact.encode(made).items():
        (folder / name).write_bytes(data)
