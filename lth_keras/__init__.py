"""Lottery tickets in Keras: find sparse subnetworks that train as well as the dense network."""

from lth_keras.analysis import ANALYSES, analyse
from lth_keras.batches import Batches
from lth_keras.controls import CONTROLS, Context
from lth_keras.criteria import CRITERIA, Evidence, criterion
from lth_keras.data import DATASETS, Source
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.errors import (
    ConfigError,
    DataError,
    LotteryError,
    MaskError,
    ModelError,
    StoreError,
    TrainingError,
)
from lth_keras.experiment import Experiment
from lth_keras.exporting import FORMATS, export, strip
from lth_keras.finding import Found, find, find_tickets
from lth_keras.fitting import BatchesAdapter as _  # noqa: F401 - fit takes Batches from now on
from lth_keras.mask import Mask
from lth_keras.models import MODELS
from lth_keras.pruning import MaskedLayer, PruningPolicy, assign_mask, read_mask
from lth_keras.reporting import Report, make_report
from lth_keras.rewind import RewindCallback, Snapshot
from lth_keras.ticket import Ticket
from lth_keras.verdict import Verdict, judge

__version__ = '0.1.0'

__all__ = [
    'ANALYSES',
    'AUGMENTATIONS',
    'CONTROLS',
    'CRITERIA',
    'DATASETS',
    'FORMATS',
    'MODELS',
    'Batches',
    'ConfigError',
    'Context',
    'DataError',
    'Evidence',
    'Experiment',
    'Found',
    'LotteryError',
    'Mask',
    'MaskError',
    'MaskedLayer',
    'ModelError',
    'PruningPolicy',
    'Report',
    'RewindCallback',
    'Snapshot',
    'Source',
    'StoreError',
    'Ticket',
    'TrainingError',
    'Verdict',
    'analyse',
    'assign_mask',
    'criterion',
    'export',
    'find',
    'find_tickets',
    'judge',
    'make_report',
    'read_mask',
    'strip',
]
