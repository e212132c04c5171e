"""Masks: which weights of which kernels are kept."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from lth_keras import errors


class Mask(Mapping[str, np.ndarray]):
    """An immutable map kernel path -> boolean array, True = kept.

    `density` is the kept share, `sparsity` is 1 - density, both in [0, 1].

    >>> mask = Mask({'dense/kernel': [[1, 0], [0, 1]], 'dense_1/kernel': [[1], [1]]})
    >>> mask.kept, mask.size, round(mask.density, 3), round(mask.sparsity, 3)
    (4, 6, 0.667, 0.333)
    >>> other = Mask({'dense/kernel': [[0, 1], [0, 1]], 'dense_1/kernel': [[0], [1]]})
    >>> (mask | other)['dense/kernel'].astype(int).tolist()
    [[1, 1], [0, 1]]
    >>> (mask & other)['dense/kernel'].astype(int).tolist()
    [[0, 0], [0, 1]]
    >>> (mask & other) <= mask, other <= mask
    (True, False)

    Raises:
      MaskError: an array that holds anything but 0 and 1, or an operation on unlike masks.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self._arrays: dict[str, np.ndarray] = {}
        for path, array in arrays.items():
            given = np.asarray(array)
            kept = given.astype(bool)
            if given.dtype != bool and not np.array_equal(kept.astype(given.dtype), given):
                raise errors.MaskError(
                    f'mask of {path!r}: expected only 0 and 1, received other values; pass '
                    'scores through an allocation first'
                )
            # A private copy that nobody can write to: masks are shared between tickets.
            kept = np.array(kept, dtype=bool, order='C')
            kept.setflags(write=False)
            self._arrays[path] = kept

    @classmethod
    def ones(cls, shapes: Mapping[str, tuple[int, ...]]) -> 'Mask':
        """The dense mask of kernels with these shapes."""
        return cls({path: np.ones(shape, bool) for path, shape in shapes.items()})

    def __getitem__(self, path: str) -> np.ndarray:
        if path not in self._arrays:
            raise KeyError(f'no kernel {path!r}: {errors.did_you_mean(path, self._arrays)}')
        return self._arrays[path]

    def __contains__(self, path: object) -> bool:
        return path in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Kernel path -> shape."""
        return {path: array.shape for path, array in self._arrays.items()}

    @property
    def survivors(self) -> dict[str, int]:
        """Kernel path -> number of kept weights."""
        return {path: int(np.count_nonzero(array)) for path, array in self._arrays.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """Kernel path -> number of weights, kept or not."""
        return {path: int(array.size) for path, array in self._arrays.items()}

    @property
    def kept(self) -> int:
        """Number of kept weights over all kernels."""
        return sum(self.survivors.values())

    @property
    def size(self) -> int:
        """Number of weights over all kernels."""
        return sum(self.sizes.values())

    @property
    def density(self) -> float:
        """Kept share over all kernels of the mask, in [0, 1]; 1.0 for a mask of no weights."""
        return self.kept / self.size if self.size else 1.0

    @property
    def sparsity(self) -> float:
        """Pruned share, 1 - density."""
        return 1.0 - self.density

    def check_fits(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raises a MaskError that names every kernel on which this mask and `shapes` differ."""
        problems = [f'no mask for kernel {path!r}' for path in shapes if path not in self._arrays]
        for path, array in self._arrays.items():
            if path not in shapes:
                problems.append(f'unknown kernel {path!r}: {errors.did_you_mean(path, shapes)}')
            elif tuple(shapes[path]) != array.shape:
                problems.append(
                    f'kernel {path!r}: expected shape {tuple(shapes[path])}, '
                    f'received a mask of shape {array.shape}'
                )
        if problems:
            raise errors.MaskError('the mask does not fit the model: ' + '; '.join(problems))

    def _combined(self, other: 'Mask', operation: Callable) -> 'Mask':
        other.check_fits(self.shapes)
        return Mask({path: operation(array, other[path]) for path, array in self.items()})

    def __and__(self, other: 'Mask') -> 'Mask':
        return self._combined(other, np.logical_and)

    def __or__(self, other: 'Mask') -> 'Mask':
        return self._combined(other, np.logical_or)

    def __le__(self, other: 'Mask') -> bool:
        """True if every weight kept here is kept in `other` too: masks only ever shrink."""
        other.check_fits(self.shapes)
        return all(not np.any(array & ~other[path]) for path, array in self.items())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mask)
            and self.shapes == other.shapes
            and all(np.array_equal(array, other[path]) for path, array in self.items())
        )

    __hash__ = None  # equality is by content; use a digest as key

    def __repr__(self) -> str:
        return f'Mask({len(self)} kernels, {self.kept:,} of {self.size:,} kept)'
