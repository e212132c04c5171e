"""Digests: one for each value, whatever its spelling, and none for what has none."""

import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lth_keras.digests import canonical, digest
from lth_keras.errors import StoreError

quick = hypothesis.settings(max_examples=40, deadline=None, database=None)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
nested = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def spelled(value) -> str:
    """A second opinion on what counts as the same: repr with sorted keys."""
    if isinstance(value, dict):
        return '{' + ','.join(f'{k!r}:{spelled(value[k])}' for k in sorted(value)) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(spelled, value)) + ']'
    return repr(value)


@quick
@hypothesis.given(nested, nested)
def test_digests_differ_exactly_where_values_do(one, other):
    assert (digest(one) == digest(other)) == (spelled(one) == spelled(other))


@quick
@hypothesis.given(st.dictionaries(st.text(max_size=5), nested, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_enter(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert digest({key: value[key] for key in keys}) == digest(value)


@quick
@hypothesis.given(nested)
def test_digests_and_canonical_texts_survive_json(value):
    hypothesis.assume('inf' not in spelled(value))
    text = canonical(value)
    assert digest(json.loads(text)) == digest(value)
    assert canonical(json.loads(text)) == text


def test_equal_looking_values_have_digests_of_their_own():
    zeros = [
        np.zeros(shape, dtype) for dtype in ('f4', 'i4', 'f8', '?') for shape in (0, 4, (2, 2))
    ]
    values = [1, 1.0, True, '1', None, 'None', 'True', [], {}, '', [1], [[1]], {'1': 1}, ['a', 'b']]
    values += ['ab', ['ab'], [['a'], 'b'], 0.0, -0.0, b''.hex(), np.array(1), np.array([1]), *zeros]
    values += [np.array(0.0), np.array(-0.0), {'a': {'b': 1}}, {'a': {}, 'b': 1}]
    spellings = {
        repr(v) if not isinstance(v, np.ndarray) else (v.dtype, v.shape, v.tobytes())
        for v in values
    }
    assert len({digest(value) for value in values}) == len(spellings)


def test_python_spellings_of_one_value_share_a_digest():
    assert digest((1, 2)) == digest([1, 2])
    assert digest(np.float32(0.5)) == digest(0.5) and digest(np.bool_(True)) == digest(True)
    assert digest(np.int64(3)) == digest(3)


@pytest.mark.parametrize('value', [{1}, object(), {1: 2}, b'bytes', np.array([None]), 1j])
def test_a_value_without_digest_is_refused(value):
    with pytest.raises(StoreError, match='expected'):
        digest([value])
