"""What is in a work directory: listed, shown, compared, verified, and safely removed."""

from lth_keras.inventory.comparing import compare
from lth_keras.inventory.entries import ORDERS
from lth_keras.inventory.listing import listing
from lth_keras.inventory.removing import remove
from lth_keras.inventory.showing import show
from lth_keras.inventory.text import clean
from lth_keras.inventory.verifying import verify

__all__ = ['ORDERS', 'clean', 'compare', 'listing', 'remove', 'show', 'verify']
