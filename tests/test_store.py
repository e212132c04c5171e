"""The store: stages found by their inputs, made once, never trusted unread."""

import re
import shutil

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lth_keras import artefact as artefacts
from lth_keras.artefact import Artefact
from lth_keras.digests import differences
from lth_keras.errors import StoreError
from lth_keras.files import Files
from lth_keras.store import Store, stage_key

INPUTS = {'round': 1, 'rate': 0.2, 'mask': 'ab12', 'optimizer': {'name': 'adam'}}


class Unsynced(Files):
    """The disk without its slow part; what a crash leaves is examined in `conformance`."""

    def sync(self, path):
        pass


FAST = Unsynced()


def mask(value: float = 0.5) -> Artefact:
    kernel = np.arange(12).reshape(3, 4) % 2 == 0
    return Artefact(
        'mask', {'density': value}, {'mask': {'dense/kernel': kernel}}, {'t.csv': 'a\n'}
    )


def never() -> Artefact:
    raise AssertionError('a finished stage was made anew')


def test_a_stage_is_made_once_and_found_by_its_inputs(tmp_path):
    store = Store(tmp_path / 'deep' / 'work')
    made = store.get_or('mask', INPUTS, mask)
    found = Store(tmp_path / 'deep' / 'work').get_or('mask', dict(reversed(INPUTS.items())), never)
    assert artefacts.encode(made) == artefacts.encode(found)
    assert found.meta == {'density': 0.5, 'inputs': INPUTS}
    key = stage_key('mask', INPUTS)
    assert artefacts.encode(store.find('mask', key)) == artefacts.encode(found)
    assert [path.name for path in store.stages.iterdir()] == [f'mask-{key}']
    assert store.find('train', key) is None


def test_what_is_returned_does_not_tell_whether_it_was_made_or_found(tmp_path):
    def make() -> Artefact:
        fortran = np.asfortranarray(np.ones((2, 3), np.float32))
        return Artefact(
            'mask', {'shape': (2, 3), 'x': np.float32(0.5)}, {'w': {'b': fortran, 'a': fortran}}
        )

    store = Store(tmp_path, FAST)
    one, two = store.get_or('mask', INPUTS, make), store.get_or('mask', INPUTS, never)
    assert one.meta == two.meta == {'shape': [2, 3], 'x': 0.5, 'inputs': INPUTS}
    assert list(one.arrays['w']) == list(two.arrays['w']) == ['a', 'b']
    assert one.arrays['w']['a'].flags == two.arrays['w']['a'].flags


@hypothesis.settings(max_examples=40, deadline=None, database=None)
@hypothesis.given(
    st.dictionaries(st.sampled_from('abc'), st.integers(0, 2) | st.floats(0, 2), max_size=3),
    st.dictionaries(st.sampled_from('abc'), st.integers(0, 2) | st.floats(0, 2), max_size=3),
)
def test_keys_differ_exactly_where_the_records_do(one, other):
    assert (stage_key('a', one) == stage_key('a', other)) == (not differences(one, other))
    assert re.fullmatch('[0-9a-f]{16}', stage_key('a', one))
    assert stage_key('a', one) != stage_key('b', one)


@pytest.mark.parametrize(
    'inputs', [{**INPUTS, 'rate': 0.1}, {**INPUTS, 'round': 1.0}, {**INPUTS, 'more': None}, {}]
)
def test_other_inputs_are_another_stage(tmp_path, inputs):
    store = Store(tmp_path, FAST)
    store.get_or('mask', INPUTS, mask)
    assert store.get_or('mask', inputs, lambda: mask(0.25)).meta['density'] == 0.25
    assert store.get_or('mask', INPUTS, never).meta['density'] == 0.5


@pytest.mark.parametrize('name', ['manifest.json', 'mask.npz', 't.csv'])
@pytest.mark.parametrize('fault', ['flipped', 'missing', 'empty'])
def test_a_corrupted_stage_is_named_and_neither_repaired_nor_made_anew(tmp_path, name, fault):
    store = Store(tmp_path, FAST)
    store.get_or('mask', INPUTS, mask)
    path = store.stages / f'mask-{stage_key("mask", INPUTS)}' / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data if fault == 'flipped' else b'')
    if fault == 'missing':
        path.unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match=re.escape(str(path))) as caught:
            store.get_or('mask', INPUTS, never)
        advice = f': remove {path.parent} and run the same command again: only this stage is'
        assert advice in str(caught.value)


def test_an_empty_or_foreign_stage_directory_is_an_error(tmp_path):
    store = Store(tmp_path, FAST)
    store.get_or('mask', INPUTS, mask)
    directory = store.stages / f'mask-{stage_key("mask", INPUTS)}'
    other = store.stages / f'mask-{stage_key("mask", {})}'
    other.mkdir()
    with pytest.raises(StoreError, match='received none'):
        store.get_or('mask', {}, never)
    other.rmdir()
    directory.rename(other)
    with pytest.raises(StoreError, match=f'received those of {stage_key("mask", INPUTS)}'):
        store.get_or('mask', {}, never)


def test_two_inputs_with_one_key_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr('lth_keras.store.stage_key', lambda kind, inputs: '0' * 16)
    store = Store(tmp_path, FAST)
    store.get_or('mask', INPUTS, mask)
    with pytest.raises(StoreError, match=r'optimizer\.name: recorded "adam", now "sgd"'):
        store.get_or('mask', {**INPUTS, 'optimizer': {'name': 'sgd'}}, never)


def test_a_stage_of_the_wrong_kind_or_with_inputs_of_its_own_is_refused(tmp_path):
    store = Store(tmp_path, FAST)
    with pytest.raises(StoreError, match="expected an artefact of kind 'train'"):
        store.get_or('train', INPUTS, mask)
    with pytest.raises(StoreError, match="without 'inputs'"):
        store.get_or('mask', INPUTS, lambda: Artefact('mask', {'inputs': {}}))
    with pytest.raises(StoreError, match=r'inputs\.x'):
        store.get_or('mask', {'x': np.ones(2)}, never)
    assert not list(tmp_path.iterdir())


def test_a_stage_that_another_process_finished_first_is_kept_if_its_bits_agree(tmp_path):
    store = Store(tmp_path, FAST)

    def overtaken(theirs: float) -> Artefact:
        Store(tmp_path, FAST).get_or('mask', INPUTS, lambda: mask(theirs))
        return mask(0.5)

    assert store.get_or('mask', INPUTS, lambda: overtaken(0.5)).meta['density'] == 0.5
    shutil.rmtree(store.stages)
    with pytest.raises(StoreError, match=r'same bits.*meta\.density: recorded 0\.25, now 0\.5'):
        store.get_or('mask', INPUTS, lambda: overtaken(0.25))
    assert len(list(store.stages.iterdir())) == 1
