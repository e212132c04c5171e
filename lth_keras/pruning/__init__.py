"""Policy, wrappers and masks of Keras models."""

from lth_keras.pruning.holding import (
    assign_mask,
    check_zeros,
    describe,
    held_kernels,
    read_mask,
)
from lth_keras.pruning.policy import Choice, PruningPolicy
from lth_keras.pruning.wrapper import MaskedLayer

__all__ = [
    'Choice',
    'MaskedLayer',
    'PruningPolicy',
    'assign_mask',
    'check_zeros',
    'describe',
    'held_kernels',
    'read_mask',
]
