"""Small work directories by hand: runs, stages and tickets as a search writes them."""

import hashlib
import json
from pathlib import Path

import numpy as np

from lth_keras import artefact, digests
from lth_keras.artefact import Artefact
from lth_keras.files import Files
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.store import completed, stage_key
from lth_keras.ticket import Ticket


class Unsynced(Files):
    """The disk without its slow part."""

    def sync(self, path):
        pass


FAST = Unsynced()


def train(work: Path, number: int, files: Files = FAST) -> str:
    """A training in the store; its name."""
    return _stage(work, 'train', {'number': number}, {'weights': {'k': np.arange(4.0)}}, files)


def prune(work: Path, training: str, number: int = 0, files: Files = FAST) -> str:
    """A pruning that looked at a training; its name."""
    inputs = {'training': training, 'number': number}
    return _stage(work, 'prune', inputs, {'mask': {'k': np.array([True, False])}}, files)


def engine(work: Path) -> str:
    """A choice of the engine; its name."""
    return _stage(work, 'engine', {'model': 'x'}, {}, FAST)


def _stage(work, kind, inputs, arrays, files):
    name, texts = f'{kind}-{stage_key(kind, inputs)}', {}
    if kind == 'train':
        texts['curve.csv'] = 'step,validation_loss\n100,0.3\n'
    if not (work / 'stages').is_dir():
        files.make_directory(work / 'stages')
    if not (work / 'stages' / name).exists():
        made = completed(kind, inputs, Artefact(kind, {}, arrays, texts))
        artefact.write(work / 'stages' / name, made, files)
    return name


def row(stage: str, round_: int = 0, replicate: int = 0, variant: str = 'ticket', **more) -> dict:
    """A row of the records."""
    return {
        **{'replicate': replicate, 'round': round_, 'variant': variant, 'draw': 0, 'stage': stage},
        **{'density': 0.8**round_, 'validation_accuracy': 0.9, 'validation_loss': 0.3},
        **{'test_accuracy': 0.875, 'final_test_accuracy': 0.75, 'early_stop_step': 100},
        **more,
    }


def run(work: Path, name: str, rows: list, files: Files = FAST, **configuration) -> Path:
    """A finished run with these rows."""
    settings = {'model': 'mlp', 'dataset': 'digits', 'transfer_from': 'none', **configuration}
    label, _, fingerprint = name.rpartition('-')
    identity = {'engine': 'plain', 'threads': 2}
    begun = {
        **{'label': label, 'fingerprint': fingerprint},
        'identity': {**identity, 'configuration': settings},
    }
    record = {
        **{'format': 'lth_keras.records', 'version': 1, 'command': 'tools/lottery --rounds=2'},
        **{'checksum': digests.digest(rows), 'identity': identity, 'rows': rows},
        'configuration': {**settings, 'margin': 0.005, 'fingerprint': fingerprint},
    }
    files.make_directory(work / name)
    for file, value in {'run.json': begun, 'records.json': record}.items():
        files.write(work / name / file, json.dumps(value).encode())
        files.sync(work / name / file)
    files.sync(work / name)
    files.sync(work)
    return work / name


def ticket(directory: Path, name: str, kept: int = 2, path: str = 'k', **provenance) -> Path:
    """A ticket that a run exported, without a SavedModel."""
    given = {
        **{'configuration': {'model': 'mlp', 'dataset': 'digits'}, 'round': 1, 'replicate': 0},
        'result': {'density': kept / 4, 'test_accuracy': 0.875, 'early_stop_step': 100},
        **provenance,
    }
    mask = Mask({path: np.arange(4).reshape(2, 2) < kept})
    folder = directory / 'tickets' / name
    weights = {path: np.ones((2, 2), np.float32)}
    Ticket(mask, Snapshot(0, weights), given, '{}', weights, weights).save(folder / 'ticket')
    return folder


def saved_model(folder: Path) -> Path:
    """Something in the place of a ticket's SavedModel, with its checksums."""
    path = folder / 'saved_model' / 'saved_model.pb'
    path.parent.mkdir()
    path.write_bytes(b'graph')
    name = path.relative_to(folder)
    sums = f'{hashlib.sha256(b"graph").hexdigest()}  {name}\n'
    (folder / 'saved_model.sha256').write_text(sums)
    return path


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file and directory below `root`."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob('*'))
    }
