"""Mask algebra, immutability, and errors that name the kernel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lth_keras.errors import MaskError
from lth_keras.mask import Mask

examples = settings(database=None, deadline=None, derandomize=True)

DIAGONAL = Mask({'a': [[1, 0], [0, 1]]})
RIGHT = Mask({'a': [[0, 1], [0, 1]]})


@st.composite
def masks(draw, number=2):
    """Some masks over the same kernels."""
    shapes = draw(st.lists(arrays.array_shapes(max_dims=3, max_side=4), min_size=1, max_size=3))
    return [
        Mask({f'k{i}': draw(arrays.arrays(bool, shape)) for i, shape in enumerate(shapes)})
        for _ in range(number)
    ]


def test_union_and_intersection_by_hand():
    assert (DIAGONAL | RIGHT)['a'].astype(int).tolist() == [[1, 1], [0, 1]]
    assert (DIAGONAL & RIGHT)['a'].astype(int).tolist() == [[0, 0], [0, 1]]


@examples
@given(masks(3))
def test_algebra(three):
    a, b, c = three
    assert a & b == b & a and a | b == b | a
    assert a & (b & c) == (a & b) & c and a | (b | c) == (a | b) | c
    assert a & (a | b) == a == a | (a & b)
    assert a & (b | c) == (a & b) | (a & c)
    assert (a & b) <= a <= (a | b)
    assert (a <= b) == (a & b == a) == (a | b == b)
    assert (a <= b and b <= a) == (a == b)
    assert (a & b).kept + (a | b).kept == a.kept + b.kept


@examples
@given(masks(1))
def test_counts(one):
    (mask,) = one
    ones = Mask.ones(mask.shapes)
    assert ones.kept == ones.size == mask.size == sum(array.size for array in mask.values())
    assert mask <= ones and mask & ones == mask
    assert mask.kept == sum(mask.survivors.values()) == sum(a.sum() for a in mask.values())
    assert mask.density == mask.kept / mask.size
    assert mask.density + mask.sparsity == 1
    assert list(mask) == list(mask.sizes) == list(mask.survivors) == list(mask.shapes)


def test_a_mask_of_no_weights_is_dense():
    assert (Mask({}).density, Mask({}).sparsity, Mask({}).kept, len(Mask({}))) == (1, 0, 0, 0)


@pytest.mark.parametrize('kind', [bool, np.int8, np.int64, np.float16, np.float32, np.float64])
def test_zeros_and_ones_of_any_type_become_booleans(kind):
    mask = Mask({'a': np.array([1, 0, 1], kind)})
    assert mask['a'].dtype == bool
    assert mask['a'].tolist() == [True, False, True]


@pytest.mark.parametrize('value', [2, -1, 0.5, 1e-9, np.nan, np.inf, -np.inf])
def test_anything_but_zero_and_one_is_refused_by_name(value):
    with pytest.raises(MaskError, match="mask of 'conv/kernel': expected only 0 and 1"):
        Mask({'good': [1, 0], 'conv/kernel': [1, 0, value]})


def test_negative_zero_is_zero():
    assert Mask({'a': [-0.0, 1.0]}).kept == 1


def test_nobody_can_write_to_a_mask():
    given = np.array([True, True, False])
    mask = Mask({'a': given})
    given[0] = False
    assert mask['a'].tolist() == [True, True, False], 'the mask shares memory with its source'
    with pytest.raises(ValueError, match='read-only'):
        mask['a'][0] = False
    with pytest.raises(ValueError, match='read-only'):
        mask['a'].reshape(-1)[0] = False
    with pytest.raises(TypeError):
        mask['a'] = given
    with pytest.raises(AttributeError):
        mask.density = 0.5
    assert given.flags.writeable, 'the array of the caller was locked'


def test_a_mask_is_compared_by_content_and_is_no_key():
    assert Mask({'a': [1, 0]}) == Mask({'a': [True, False]})
    assert Mask({'a': [1, 0]}) != Mask({'a': [1, 1]})
    assert Mask({'a': [1, 0]}) != Mask({'b': [1, 0]})
    assert Mask({'a': [1, 0]}) != Mask({'a': [[1, 0]]})
    assert Mask({'a': [1]}) != {'a': [1]}
    with pytest.raises(TypeError, match='unhashable'):
        hash(DIAGONAL)


def test_memory_order_makes_no_difference():
    assert Mask({'a': np.asfortranarray(DIAGONAL['a'])})['a'].flags.c_contiguous


def test_unknown_kernel_names_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'dense/kernel'"):
        Mask({'dense/kernel': [1], 'conv2d/kernel': [1]})['dense/kernl']
    assert 'a' in DIAGONAL and 'b' not in DIAGONAL
    assert DIAGONAL.get('b') is None


def test_every_misfit_is_named_in_one_error():
    mask = Mask({'dense/kernel': np.ones((3, 2)), 'dense_1/kernel': np.ones(4)})
    mask.check_fits({'dense/kernel': (3, 2), 'dense_1/kernel': (4,)})
    with pytest.raises(MaskError) as raised:
        mask.check_fits({'dense/kernel': (2, 3), 'dense_2/kernel': (4,)})
    text = str(raised.value)
    assert "no mask for kernel 'dense_2/kernel'" in text
    assert "unknown kernel 'dense_1/kernel': did you mean 'dense_2/kernel'?" in text
    assert "'dense/kernel': expected shape (2, 3), received a mask of shape (3, 2)" in text


@pytest.mark.parametrize(
    'other', [{'a': [[1, 0]]}, {'b': [[1, 0], [0, 1]]}, {}, {'a': [[1, 0], [0, 1]], 'b': [1]}]
)
@pytest.mark.parametrize('operation', [lambda a, b: a & b, lambda a, b: a | b, lambda a, b: a <= b])
def test_unlike_masks_are_neither_combined_nor_compared(operation, other):
    with pytest.raises(MaskError, match='does not fit'):
        operation(DIAGONAL, Mask(other))


def test_repr_counts():
    assert (
        repr(Mask.ones({'a': (300, 100), 'b': (10,)})) == 'Mask(2 kernels, 30,010 of 30,010 kept)'
    )
