"""Runs: held alone, resumed as they began, their names and files told apart."""

import errno
import os
import re
import resource
import traceback
from collections.abc import Callable

import numpy as np
import pytest

from lth_keras.artefact import Artefact
from lth_keras.errors import StoreError
from lth_keras.files import TEMPORARY, Files, write_file
from lth_keras.store import Store

INPUTS = {'round': 1, 'rate': 0.2, 'mask': 'ab12', 'optimizer': {'name': 'adam'}}
IDENTITY = {
    'configuration': {'rate': 0.2, 'model': 'lenet', 'rounds': 3},
    'versions': {'tensorflow': '2.15.0', 'numpy': '1.26.4'},
    'device': 'cpu',
    'data': 'digest',
}


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


def changed(identity: dict, **entries) -> dict:
    """The identity with some flags changed."""
    return {**identity, 'configuration': {**identity['configuration'], **entries}}


def in_child(act: Callable[[], None]) -> str:
    """Runs `act` in another process; the text of its StoreError, '' if there was none."""
    reading, wrote = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = ''
        try:
            act()
        except StoreError as error:
            text = str(error)
        except BaseException:
            text = traceback.format_exc()
        finally:
            os.write(wrote, text.encode()[:4000])
            os._exit(0)
    os.close(wrote)
    with open(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def test_a_run_keeps_its_record_and_its_results(tmp_path):
    store = Store(tmp_path)
    for text in ('one', 'two'):
        with store.open_run('lenet', 'ab12', IDENTITY) as run:
            assert run.directory == tmp_path / 'lenet-ab12'
            run.write('results.csv', text)
            run.write('curves/0.csv', text)
    assert (run.directory / 'curves' / '0.csv').read_text() == 'two'
    names = ['curves', 'lock', 'results.csv', 'run.json']
    assert sorted(path.name for path in run.directory.iterdir()) == names
    record = (run.directory / 'run.json').read_text()
    assert str(tmp_path) not in record and '"fingerprint": "ab12"' in record


@pytest.mark.parametrize('name', ['', '/etc/x', '../x', 'a//b', '.hidden', 'run.json', 'lock'])
def test_a_result_cannot_leave_the_run_or_replace_its_record(tmp_path, name):
    with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY) as run:
        with pytest.raises(StoreError):
            run.write(name, '')


@pytest.mark.parametrize(
    ('label', 'print_'), [('a/b', 'c'), ('', 'c'), ('a', '../c'), ('a~b', 'c')]
)
def test_a_run_needs_a_plain_name(tmp_path, label, print_):
    with pytest.raises(StoreError, match='expected a plain'):
        with Store(tmp_path).open_run(label, print_, IDENTITY):
            pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('identity', 'text'),
    [
        (
            {**IDENTITY, 'versions': {'tensorflow': '2.16.1', 'numpy': '1.26.4'}},
            r'differences: versions\.tensorflow: recorded "2\.15\.0", now "2\.16\.1": restore',
        ),
        ({**IDENTITY, 'device': 'gpu'}, 'device: recorded "cpu", now "gpu"'),
        ({**IDENTITY, 'more': True}, 'more: recorded nothing, now true'),
        (changed(IDENTITY, rate=0.1, rounds=4), r'rate: recorded 0\.2.*rounds: recorded 3, now 4'),
        (changed(IDENTITY, rounds=3.0), 'rounds: recorded 3, now 3.0'),
        (
            {k: v for k, v in IDENTITY.items() if k != 'data'},
            'data: recorded "digest", now nothing',
        ),
    ],
)
def test_a_resumed_run_must_be_what_it_was(tmp_path, identity, text):
    store = Store(tmp_path, FAST)
    with store.open_run('lenet', 'ab12', IDENTITY):
        pass
    with pytest.raises(StoreError, match=text):
        with store.open_run('lenet', 'ab12', identity):
            pass
    with store.open_run('lenet', 'ab12', IDENTITY):
        pass


@pytest.mark.parametrize('data', [b'', b'{"identity": 1}', b'[]', b'\xff', b'null'])
def test_a_broken_record_is_named(tmp_path, data):
    store = Store(tmp_path, FAST)
    with store.open_run('lenet', 'ab12', IDENTITY) as run:
        pass
    (run.directory / 'run.json').write_bytes(data)
    with pytest.raises(StoreError, match=r'record of a run in .*run\.json'):
        with store.open_run('lenet', 'ab12', IDENTITY):
            pass


def test_a_label_of_the_users_means_one_run(tmp_path):
    store = Store(tmp_path, FAST)
    with store.open_run('mine', 'ab12', IDENTITY, named=True):
        pass
    other = changed(IDENTITY, rate=0.1)
    with pytest.raises(StoreError) as caught:
        with store.open_run('mine', 'cd34', other, named=True):
            pass
    assert '--rate: recorded 0.2, given 0.1' in str(caught.value)
    assert 'model' not in str(caught.value) and not (tmp_path / 'mine-cd34').exists()
    with pytest.raises(StoreError, match='data: recorded "digest", given "new"'):
        with store.open_run('mine', 'cd34', {**IDENTITY, 'data': 'new'}, named=True):
            pass
    with pytest.raises(StoreError, match='fingerprint: recorded ab12, given cd34'):
        with store.open_run('mine', 'cd34', IDENTITY, named=True):
            pass
    # The same run again, a label that only begins alike, a label that was not chosen: all fine.
    for label, fingerprint, named in [
        ('mine', 'ab12', True),
        ('mine-2', 'x', True),
        ('mine', 'y', False),
    ]:
        with store.open_run(label, fingerprint, IDENTITY, named):
            pass
    with store.open_run('mine', 'ab12', IDENTITY, named=True):
        pass


def test_a_second_process_is_refused_and_the_lock_ends_with_the_first(tmp_path):
    def again() -> None:
        with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
            pass

    def elsewhere() -> None:
        with Store(tmp_path, FAST).open_run('lenet', 'cd34', IDENTITY):
            pass

    with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY) as run:
        text = in_child(again)
        assert f'another run (pid {os.getpid()}) is working in it: wait for it' in text
        assert str(run.directory) in text and '\n' not in text
        assert in_child(elsewhere) == ''
        with pytest.raises(StoreError, match='another run'):
            again()
    assert in_child(again) == ''
    again()


def test_a_killed_process_holds_no_lock(tmp_path):
    def killed() -> None:
        with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
            os._exit(9)

    in_child(killed)
    with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
        pass


def test_a_child_that_outlives_the_run_does_not_hold_its_lock(tmp_path):
    reading, wrote = os.pipe()
    with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
        pid = os.fork()
        if pid == 0:
            os.read(reading, 1)
            os._exit(0)
    try:
        with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
            pass
    finally:
        os.write(wrote, b'.')
        os.waitpid(pid, 0)


def test_temporary_files_of_this_run_are_removed_and_those_of_others_are_not(tmp_path):
    class Dying(Unsynced):
        """Leaves what a killed process leaves: nothing is renamed, nothing is removed."""

        def rename(self, source, target):
            raise KeyboardInterrupt

        def remove(self, path):
            pass

    for fingerprint in ('ab12', 'cd34'):
        store = Store(tmp_path, FAST)
        with pytest.raises(KeyboardInterrupt):
            with store.open_run('lenet', fingerprint, IDENTITY) as run:
                run.write('curves/0.csv', 'done')
                store.files = Dying()
                with pytest.raises(KeyboardInterrupt):
                    store.get_or('mask', INPUTS, mask)
                write_file(run.directory / 'curves' / 't.csv', 'torn', Dying())
        assert store.owner == ''

    def temporaries() -> list[str]:
        return sorted(path.parent.name for path in tmp_path.rglob(f'{TEMPORARY}*'))

    assert temporaries() == ['curves', 'curves', 'stages', 'stages']
    with Store(tmp_path, FAST).open_run('lenet', 'ab12', IDENTITY):
        assert temporaries() == ['curves', 'stages']
    with Store(tmp_path, FAST).open_run('lenet', 'cd34', IDENTITY):
        assert temporaries() == []


# -- a disk that refuses


def attempt(store: Store) -> None:
    with store.open_run('lenet', 'ab12', IDENTITY) as run:
        store.get_or('mask', INPUTS, mask)
        run.write('results.csv', 'one')


@pytest.mark.parametrize('place', ['work', 'work/stages', 'work/lenet-ab12', ''])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path, place):
    path = tmp_path / 'top' / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('mine')
    with pytest.raises(StoreError, match=f'expected a directory at {path}, received a file'):
        attempt(Store(tmp_path / 'top' / 'work'))
    assert path.read_text() == 'mine'


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES])
def test_a_workdir_that_cannot_be_made_is_a_clear_error(tmp_path, number):
    class ReadOnly(Files):
        def make_directory(self, path):
            raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match=f'{os.strerror(number)}.*that you may write to'):
        attempt(Store(tmp_path / 'work', ReadOnly()))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_read_only_parent_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match='Permission denied.*that you may write to'):
            attempt(Store(tmp_path / 'work'))
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_keeps_what_was_finished(tmp_path):
    class Full(Files):
        def write(self, path, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    attempt(Store(tmp_path))
    store = Store(tmp_path, Full())
    with store.open_run('lenet', 'ab12', IDENTITY) as run:
        store.get_or('mask', INPUTS, never)
        with pytest.raises(StoreError, match='No space left.*finished stages are kept'):
            store.get_or('mask', {**INPUTS, 'round': 2}, mask)
        with pytest.raises(StoreError, match='results.csv .No space left'):
            run.write('results.csv', 'two')
    assert (run.directory / 'results.csv').read_text() == 'one'
    assert len(list(store.stages.iterdir())) == 1


def test_a_file_size_limit_is_a_clear_error(tmp_path):
    """`ulimit -f`: Python ignores the signal, so that the write fails with EFBIG."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        large = Artefact('train', arrays={'weights': {'kernel': np.ones(10_000, np.float32)}})
        store = Store(tmp_path, FAST)
        with store.open_run('lenet', 'ab12', IDENTITY):
            store.get_or('mask', INPUTS, mask)
            store.get_or('train', INPUTS, lambda: large)

    text = in_child(limited)
    assert re.search(r'cannot write .*weights\.npz \(File too large\): raise the file-size', text)
    assert '\n' not in text
    assert [path.name[:5] for path in (tmp_path / 'stages').iterdir()] == ['mask-']
    Store(tmp_path, FAST).get_or('mask', INPUTS, never)
