"""Seeds that depend only on what they are for, never on what the process did before."""

import hashlib

import numpy as np


def derive(seed: int, purpose: str, *key: str | int) -> int:
    """The 31-bit seed of one random draw, from the replicate's seed and the draw's purpose.

    `sha256("seed|purpose|key...")`, first four bytes, top bit dropped. Equal inputs give equal
    seeds on every machine, others unrelated ones. The parts enter as text: 1 is '1'.

    Args:
      seed: the replicate's seed (or the split's), any integer.
      purpose: what is drawn: 'initialisation', 'order', 'dropout', 'split', 'reinit', ...
      *key: which of them: an epoch, a draw, a kernel path.

    >>> derive(0, 'order', 1), derive(0, 'order', 2), derive(1, 'order', 1)
    (1359450091, 1282148628, 1712508736)
    """
    text = '|'.join(str(part) for part in (seed, purpose, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'big') & 0x7FFFFFFF


def permutation(count: int, seed: int) -> np.ndarray:
    """A permutation of `range(count)` (int32) from `seed`, the same on every machine.

    >>> permutation(5, 1).tolist()
    [0, 3, 4, 1, 2]
    """
    return np.random.Generator(np.random.Philox(seed)).permutation(count).astype(np.int32)
