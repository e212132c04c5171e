"""The criteria: one file each, one line here. Arrays in, arrays out."""

from lth_keras.criteria import large_final
from lth_keras.criteria.base import Evidence, criterion, needs_of
from lth_keras.registry import Registry

CRITERIA = Registry('criterion', [large_final.large_final])

__all__ = ['CRITERIA', 'Evidence', 'criterion', 'needs_of']
