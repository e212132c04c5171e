"""The process: threads that count, output that cannot be written, how it ends."""

import os
import sys

import pytest
import tensorflow as tf

from lth_keras import errors, session
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
