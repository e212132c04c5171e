"""The controls: one file each, one line here. Ticket in, ticket out, one ingredient destroyed."""

from lth_keras.controls.base import Context
from lth_keras.controls.reinit import reinit
from lth_keras.registry import Registry

CONTROLS = Registry('control', [reinit])

__all__ = ['CONTROLS', 'Context']
