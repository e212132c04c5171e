"""Artefacts: exact round trips, equal bytes, and every fault on disk found and named."""

import errno
import json
import math
import os
import shutil
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lth_keras import artefact as artefacts
from lth_keras.artefact import Artefact, read, read_meta, write
from lth_keras.digests import digest
from lth_keras.errors import StoreError
from lth_keras.files import TEMPORARY, Files, write_file

GOLDEN = Path(__file__).parent / 'golden' / 'artefact-v1'

quick = hypothesis.settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


class Unsynced(Files):
    """The disk without its slow part; what a crash leaves is examined in `conformance`."""

    def sync(self, path):
        pass


FAST = Unsynced()


def sample() -> Artefact:
    """The content of the golden artefact: every storable type, shape and kind of name."""
    return Artefact(
        kind='ticket',
        meta={'round': 2, 'rate': 0.2, 'zero': -0.0, 'tiny': 5e-324, 'label': 'été', 'none': None},
        arrays={
            'weights': {
                'dense/kernel': np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
                'dense/bias': np.array([-0.0, np.inf, np.nan], np.float32),
                'half': np.array([0.1, 65504], np.float16),
                'double': np.array(math.pi),
                'step': np.array(2**53 + 1, np.int64),
                'state': np.array([0, 2**32 - 1], np.uint32),
                'none': np.empty((0, 4), np.float32),
            },
            'mask': {
                'dense/kernel': np.array([[True, False, True], [False, False, True]]),
                'dense_1/kernel': np.arange(35).reshape(5, 7) % 3 == 0,
                'one': np.array(True),
                'none': np.empty((3, 0), bool),
            },
            'empty': {},
        },
        texts={'curve.csv': 'step,loss\n0,2.302585\n', 'empty': ''},
    )


def assert_equal(left: Artefact, right: Artefact) -> None:
    """Equal in every bit."""
    assert artefacts.encode(left) == artefacts.encode(right)
    for group, arrays in left.arrays.items():
        assert sorted(arrays) == sorted(right.arrays[group])
        for name, array in arrays.items():
            other = right.arrays[group][name]
            assert (array.dtype, array.shape) == (other.dtype, other.shape)
            assert array.tobytes() == other.tobytes()
    assert dict(left.texts) == dict(right.texts)


def test_a_round_trip_is_exact(tmp_path):
    write(tmp_path / 'a', sample())
    back = read(tmp_path / 'a', kind='ticket')
    assert_equal(sample(), back)
    assert back.kind == 'ticket' and back.meta == sample().meta
    assert math.copysign(1, back.meta['zero']) == -1
    assert read_meta(tmp_path / 'a') == sample().meta
    assert not back.arrays['weights']['dense/kernel'].flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ['a']


dtypes = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes()
).filter(lambda dtype: dtype.itemsize <= 8)
storable = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
names = st.text('abkernl_/:0 .é', min_size=1, max_size=12)


@quick
@hypothesis.given(
    st.dictionaries(names, storable, max_size=4), st.text(st.characters(codec='utf-8'))
)
def test_any_arrays_and_texts_come_back(tmp_path, arrays, text):
    directory = tmp_path / 'a'
    shutil.rmtree(directory, ignore_errors=True)
    write(directory, Artefact('any', arrays={'group': arrays}, texts={'t.txt': text}), FAST)
    back = read(directory)
    assert back.texts == {'t.txt': text}
    assert list(back.arrays['group']) == sorted(arrays)
    for name, array in arrays.items():
        other = back.arrays['group'][name]
        assert other.dtype == array.dtype.newbyteorder('=') and other.shape == array.shape
        same = array.astype(other.dtype)
        assert same.tobytes() == other.tobytes()


def test_memory_order_strides_and_byte_order_make_no_difference():
    plain = np.arange(24, dtype=np.int32).reshape(4, 6)[:, ::2].copy()
    views = [np.asfortranarray(plain), np.arange(24, dtype=np.int32).reshape(4, 6)[:, ::2]]
    views.append(plain.astype('>i4'))
    views.append(plain.T.copy().T)
    for view in views:
        assert digest(view) == digest(plain)
        for turn in (np.asarray, lambda array: array % 2 == 0):
            one, other = (
                artefacts.encode(Artefact('a', arrays={'g': {'x': turn(a)}})) for a in (view, plain)
            )
            assert one == other


def test_a_mask_takes_one_bit_a_weight():
    mask = {'kernel': np.ones((800, 1000), bool)}
    assert len(artefacts.encode(Artefact('mask', arrays={'mask': mask}))['mask.npz']) < 101_000


def test_numpy_alone_can_read_the_arrays(tmp_path):
    write(tmp_path / 'a', sample(), FAST)
    with np.load(tmp_path / 'a' / 'weights.npz', allow_pickle=False) as arrays:
        assert (
            arrays['dense/kernel'].tobytes() == sample().arrays['weights']['dense/kernel'].tobytes()
        )


def test_the_golden_artefact_reads_and_is_written_bit_for_bit(tmp_path):
    assert_equal(read(GOLDEN), sample())
    write(tmp_path / 'a', sample(), FAST)
    contents = {path.name: path.read_bytes() for path in GOLDEN.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / 'a').iterdir()} == contents


def test_the_order_of_names_makes_no_difference():
    def reverse(value):
        if not hasattr(value, 'items'):
            return value
        return {key: reverse(entry) for key, entry in reversed(list(value.items()))}

    one = sample()
    other = Artefact(one.kind, reverse(one.meta), reverse(one.arrays), reverse(one.texts))
    assert artefacts.encode(one) == artefacts.encode(other)


# -- faults on disk


@pytest.mark.parametrize('name', sorted(artefacts.encode(sample())))
def test_every_flipped_bit_is_found(tmp_path, name):
    write(tmp_path / 'a', sample(), FAST)
    path = tmp_path / 'a' / name
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    places = range(len(data)) if len(data) < 400 else rng.choice(len(data), 400, replace=False)
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(StoreError) as caught:
            read(tmp_path / 'a')
        assert name in str(caught.value)
    path.write_bytes(data)
    assert_equal(read(tmp_path / 'a'), sample())


@pytest.mark.parametrize('name', sorted(artefacts.encode(sample())))
@pytest.mark.parametrize('fault', ['missing', 'empty', 'half', 'longer', 'directory'])
def test_every_damaged_file_is_named(tmp_path, name, fault):
    write(tmp_path / 'a', sample(), FAST)
    path = tmp_path / 'a' / name
    data = path.read_bytes()
    path.unlink()
    if fault == 'directory':
        path.mkdir()
    elif fault != 'missing':
        path.write_bytes(
            {'empty': b'', 'half': data[: len(data) // 2], 'longer': data + b'\n'}[fault]
        )
    if (name, fault) in [('empty', 'empty'), ('empty', 'half')]:
        assert read(tmp_path / 'a').texts['empty'] == ''  # it was empty from the start
        return
    with pytest.raises(StoreError) as caught:
        read(tmp_path / 'a')
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)
    if fault == 'longer' and name != artefacts.MANIFEST:
        assert f'expected {len(data)} bytes in' in str(caught.value)
    if fault != 'directory':
        assert str(caught.value).endswith(': remove or restore it')
        with pytest.raises(StoreError, match=': run it again$'):
            read(tmp_path / 'a', advice='run it again')


def test_an_extra_file_is_named(tmp_path):
    write(tmp_path / 'a', sample(), FAST)
    (tmp_path / 'a' / 'notes.txt').write_text('mine')
    with pytest.raises(StoreError, match='no such file in .*notes.txt'):
        read(tmp_path / 'a')


def signed(change) -> bytes:
    """A manifest changed by someone who knows how its checksum is made."""
    manifest = json.loads(artefacts.encode(sample())[artefacts.MANIFEST])
    del manifest['checksum']
    change(manifest)
    return artefacts._signed(manifest)


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (signed(lambda m: m.update(version=2)), 'version 1 or older .* received 2: upgrade'),
        (signed(lambda m: m.update(format='other')), "format 'lth_keras artefact'"),
        (signed(lambda m: m.pop('version')), 'a JSON manifest'),
        (b'[]', 'a JSON manifest'),
        (b'\xff\xfe', 'a JSON manifest'),
        (b'{"format": "lth_keras artefact", "version": 1}', 'matches its checksum'),
        (b'{"format": "lth_keras artefact", "version": 1, "meta": NaN}', 'matches its checksum'),
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path, data, text):
    write(tmp_path / 'a', sample(), FAST)
    (tmp_path / 'a' / artefacts.MANIFEST).write_bytes(data)
    for reading in (read, read_meta):
        with pytest.raises(StoreError, match=text):
            reading(tmp_path / 'a')


def test_another_kind_is_refused(tmp_path):
    write(tmp_path / 'a', sample(), FAST)
    with pytest.raises(StoreError, match="expected kind 'mask' in .*, received kind 'ticket'"):
        read(tmp_path / 'a', kind='mask')


def test_a_missing_artefact_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r'expected a file in .*manifest\.json, received none'):
        read(tmp_path / 'none')


# -- what cannot be stored


@pytest.mark.parametrize(
    ('artefact', 'text'),
    [
        (Artefact('a', {'loss': [0.5, math.nan]}), r'JSON at meta\.loss\[1\], received nan'),
        (Artefact('a', {'loss': np.float32(math.inf)}), r'meta\.loss, received inf'),
        (Artefact('a', {'x': {1: 2}}), r'meta\.x'),
        (Artefact('a', {'x': np.ones(2)}), r'meta\.x'),
        (Artefact('a/b'), 'plain kind'),
        (Artefact('a', arrays={'g/h': {}}), 'plain file name'),
        (Artefact('a', arrays={'g': {'x': np.array([None])}}), 'dtype object'),
        (Artefact('a', arrays={'g': {'x': np.array(['text'])}}), 'dtype <U4'),
        (Artefact('a', arrays={'g': {'x': np.ones(2, complex)}}), 'dtype complex128'),
        (Artefact('a', arrays={'g': {'': np.ones(2)}}), 'array name'),
        (Artefact('a', arrays={'g': {'a\\b': np.ones(2)}}), 'array name'),
        (Artefact('a', arrays={'g': {'a\0b': np.ones(2)}}), 'array name'),
        (Artefact('a', texts={'../t': ''}), 'plain file name'),
        (Artefact('a', texts={'manifest.json': ''}), 'differ in more than case'),
        (Artefact('a', texts={'T': '', 't': ''}), 'differ in more than case'),
        (Artefact('a', texts={'t': '\ud800'}), 'UTF-8 text in t'),
        (Artefact('a', arrays={'g': {}}, texts={'g.npz': ''}), 'differ in more than case'),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path, artefact, text):
    with pytest.raises(StoreError, match=text):
        write(tmp_path / 'a', artefact)
    assert not list(tmp_path.iterdir())


def test_an_existing_directory_is_never_overwritten(tmp_path):
    write(tmp_path / 'a', sample(), FAST)
    with pytest.raises(artefacts.TakenError, match='take another name'):
        write(tmp_path / 'a', Artefact('other'), FAST)
    assert_equal(read(tmp_path / 'a'), sample())


def test_a_name_taken_during_the_write_is_told_apart(tmp_path):
    class Overtaken(Unsynced):
        def rename(self, source, target):
            write(target, sample(), FAST)
            super().rename(source, target)

    with pytest.raises(artefacts.TakenError):
        write(tmp_path / 'a', Artefact('other'), Overtaken())
    assert_equal(read(tmp_path / 'a'), sample())
    assert [path.name for path in tmp_path.iterdir()] == ['a']


# -- a disk that refuses


class Refusing(Files):
    """One operation fails as the system would make it fail."""

    def __init__(self, operation, number):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        setattr(self, operation, refuse)


@pytest.mark.parametrize('operation', ['make_directory', 'write', 'sync', 'rename'])
@pytest.mark.parametrize(
    ('number', 'advice'),
    [
        (errno.ENOSPC, 'No space left on device.*: free space or choose another --workdir'),
        (errno.EROFS, 'Read-only file system.*: choose a --workdir that you may write to'),
        (errno.EFBIG, 'File too large.*: raise the file-size limit'),
        (errno.EIO, r'Input/output error\): choose another --workdir'),
    ],
)
def test_a_refusing_disk_is_one_line_and_leaves_nothing(tmp_path, operation, number, advice):
    faulty = Refusing(operation, number)
    with pytest.raises(StoreError, match=f'cannot write .*/a.*{advice}.*stages are kept') as caught:
        write(tmp_path / 'a', sample(), faulty)
    assert '\n' not in str(caught.value) and TEMPORARY not in str(caught.value)
    assert not list(tmp_path.iterdir())
    if operation != 'make_directory':
        write_file(tmp_path / 't', 'old')
        with pytest.raises(StoreError, match=advice):
            write_file(tmp_path / 't', 'new', faulty)
        assert (tmp_path / 't').read_text() == 'old'
        assert [path.name for path in tmp_path.iterdir()] == ['t']


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='the system has no /dev/full')
def test_a_full_disk_is_a_clear_error(tmp_path):
    class Full(Files):
        def write(self, path, data):
            super().write(Path('/dev/full'), data)

    with pytest.raises(StoreError, match=r'cannot write .*\.npz \(No space left on device\): free'):
        write(tmp_path / 'a', sample(), Full())
    with pytest.raises(StoreError, match=r'cannot write .*t \(No space left on device\): free'):
        write_file(tmp_path / 't', 'text', Full())
    assert not list(tmp_path.iterdir())
