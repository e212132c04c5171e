"""The process: threads that count, output that cannot be written, how it ends."""

import os
import sys

import pytest
import tensorflow as tf

from lth_keras import errors, session, strategies
from tests import nets


def test_threads_are_those_that_were_set(monkeypatch):
    monkeypatch.setattr(tf.config.threading, 'get_intra_op_parallelism_threads', lambda: 3)
    assert session.threads() == 3


def test_threads_that_were_not_set_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(tf.config.threading, 'get_intra_op_parallelism_threads', lambda: 0)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {1, 4, 6, 7, 9}, raising=False)
    assert session.threads() == 5
    monkeypatch.delattr(os, 'sched_getaffinity')
    monkeypatch.setattr(os, 'cpu_count', lambda: 7)
    assert session.threads() == 7
    monkeypatch.setattr(os, 'cpu_count', lambda: None)
    assert session.threads() == 1


def test_configured_threads_in_a_process_of_their_own():
    code = (
        'from lth_keras import session, errors\n'
        'session.configure(3)\n'
        'print(session.threads(), session.provenance()["threads"])\n'
        'session.configure(0)\n'
        'print(session.threads())\n'
        'try:\n'
        '    session.configure(2)\n'
        'except errors.ConfigError as e:\n'
        '    print(e)\n'
    )
    lines = nets.in_another_process(code).splitlines()
    assert lines[:2] == ["3 {'intra_op': 3, 'inter_op': 3}", '3']
    assert len(lines) == 3 and lines[2].startswith('threads: expected to be set before')


def test_a_process_says_its_part_among_several(monkeypatch, capsys):
    monkeypatch.delenv('TF_CONFIG', raising=False)
    assert session.part('one_device') == strategies.Role() and capsys.readouterr() == ('', '')
    cluster = '"cluster": {"worker": ["localhost:1234", "localhost:2345"]}'
    monkeypatch.setenv('TF_CONFIG', f'{{{cluster}, "task": {{"type": "worker", "index": 1}}}}')
    monkeypatch.setattr(strategies, 'check_port', lambda role: None)
    for planned in (True, False):
        role = session.part('multi_worker', planned)
        assert role == strategies.Role(1, 2, 'localhost:2345')
        out, err = capsys.readouterr()
        assert out == '' and err == ('' if planned else f'{role.describe()}\n')
    assert session.part('mirrored') == strategies.Role()
    assert capsys.readouterr().err.startswith(
        'note: TF_CONFIG names 2 workers, but --strategy=mirr'
    )
    monkeypatch.setenv('TF_CONFIG', '{"cluster": {"worker": ["localhost:1234"]}}')
    assert session.part('one_device').chief and capsys.readouterr() == ('', '')


def test_a_worker_has_a_thread_for_its_server_and_starts_before_everything_else():
    code = (
        'import os, json\n'
        'from lth_keras import session, errors, strategies\n'
        'task = {"type": "worker", "index": 0}\n'
        'cluster = {"worker": ["localhost:1234", "localhost:2345"]}\n'
        'os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})\n'
        'real = strategies.strategy\n'
        'strategies.strategy = lambda name: print("starts", name)\n'
        'session.configure(1, "multi_worker")\n'
        'print(session.provenance()["threads"])\n'
        'strategies.check_port = lambda role: None\n'
        'try:\n'
        '    real("multi_worker")\n'
        'except errors.ConfigError as e:\n'
        '    print(e)\n'
    )
    lines = nets.in_another_process(code).splitlines()
    assert lines[:2] == ['starts multi_worker', "{'intra_op': 1, 'inter_op': 2}"]
    assert 'expected multi_worker to be the first use of TensorFlow' in lines[2]


def test_provenance_says_where_and_how():
    found = session.provenance()
    assert found['arguments'] == sys.argv and found['processors'] == os.cpu_count()
    assert found['devices'] and found['started'].endswith('Z')


def test_say_prints_at_once(capsys):
    session.say('a table')
    assert capsys.readouterr().out == 'a table\n'


def broken_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, 'w')


def full_disk():
    if not os.path.exists('/dev/full'):
        pytest.skip('this system has no /dev/full')
    return open('/dev/full', 'w')


@pytest.mark.parametrize('kept', ['', 'runs/one'])
@pytest.mark.parametrize('make', [broken_pipe, full_disk])
def test_output_that_cannot_be_written_is_one_error(make, kept, monkeypatch):
    with make() as stream:  # closing flushes once more
        monkeypatch.setattr(sys, 'stdout', stream)
        with pytest.raises(errors.StoreError, match='cannot write to standard output') as raised:
            session.say('a table' * 1000, kept)
        monkeypatch.undo()
    text = str(raised.value)
    assert '\n' not in text and (('it is in runs/one' in text) == bool(kept))


def test_a_failure_is_one_line_and_status_2(capsys):
    assert session.failed(errors.ConfigError('rate: expected less')) == 2
    assert capsys.readouterr() == ('', 'error: rate: expected less\n')


def test_an_interruption_says_how_to_go_on(capsys):
    assert session.interrupted() == 130
    out, err = capsys.readouterr()
    assert out == '' and err.count('\n') == 1 and 'the same command goes on' in err
