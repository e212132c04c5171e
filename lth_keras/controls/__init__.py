"""The controls: one file each, one line here. Ticket in, ticket out, declared ingredients gone."""

from lth_keras.controls.base import Context, destroys
from lth_keras.controls.random_mask import random_mask
from lth_keras.controls.random_mask_global import random_mask_global
from lth_keras.controls.random_sparse import random_sparse
from lth_keras.controls.reinit import reinit
from lth_keras.controls.shuffled_mask import shuffled_mask
from lth_keras.controls.small_dense import small_dense
from lth_keras.registry import Registry

CONTROLS = Registry(
    'control',
    [
        reinit,
        random_mask,
        random_mask_global,
        shuffled_mask,
        random_sparse,
        small_dense,
    ],
)

__all__ = ['CONTROLS', 'Context', 'destroys']
