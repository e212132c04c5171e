"""Progress: lines in a file, a bar in a terminal, nothing when quiet."""

import io
import re

import pytest

from lth_keras import progress
from lth_keras.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def run(shown, name, begin=0, stop=10):
    with shown.training(name, begin, stop) as on_step:
        for step in range(begin, stop + 1, 5):
            on_step(step)


def test_a_file_gets_a_line_per_training():
    stream = io.StringIO()
    shown = Progress(30, stream=stream)
    run(shown, 'round 0')
    run(shown, 'round 1', 5, 25)
    shown.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r'round 0: 10 steps in \d+\.\d s, about \d+ s left', lines[0])
    assert re.fullmatch(r'round 1: 20 steps in \d+\.\d s, about 0 s left', lines[1])
    assert '\r' not in stream.getvalue()


def test_a_long_training_says_where_it_is(monkeypatch):
    monkeypatch.setattr(progress, 'LOG_SECONDS', -1.0)
    stream = io.StringIO()
    shown = Progress(2000, stream=stream)
    with shown.training('round 0', 0, 2000) as on_step:
        on_step(1000)
        on_step(1500)
        on_step(2000)
    first, second, third, last = stream.getvalue().splitlines()
    assert first == 'round 0: step 1,000 of 2,000'  # nothing is known of the pace
    assert second.startswith('round 0: step 1,500 of 2,000, about ')
    assert third.startswith('round 0: step 2,000 of 2,000, about 0 s left')
    assert last.startswith('round 0: 2,000 steps in ')


def test_the_time_left_leaves_out_what_is_kept(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now)
    stream = io.StringIO()
    shown = Progress(100, stream=stream)
    shown.skip('round 0', 0, 40)
    with shown.training('round 1', 0, 20) as on_step:
        now = 70.0
        on_step(10)
        now = 75.0
        on_step(20)
    # 40 of 100 steps are kept. The first 10 waited for the compiler, 10 took 5 s, 40 are left.
    assert stream.getvalue().endswith('round 1: 20 steps in 75.0 s, about 20 s left\n')
    assert shown.seconds == {'round 1': 75.0}


def test_skipped_trainings_are_taken_off_the_total():
    stream = Terminal()
    shown = Progress(30, stream=stream)
    assert '0.00/30.0' in stream.getvalue()
    shown.skip('round 0', 5, 15)
    assert 'round 0 (kept)' in stream.getvalue() and '0.00/20.0' in stream.getvalue()
    shown.close()


def test_skipping_says_nothing_in_a_file_and_counts_no_seconds():
    stream = io.StringIO()
    shown = Progress(30, stream=stream)
    shown.skip('round 0', 0, 30)
    shown.close()
    assert stream.getvalue() == '' and shown.seconds == {}


@pytest.mark.parametrize('stream', [io.StringIO(), Terminal()], ids=['file', 'terminal'])
def test_quiet_prints_nothing_but_takes_the_time(stream, capsys):
    shown = Progress(30, quiet=True, stream=stream)
    run(shown, 'round 0')
    shown.skip('round 1', 0, 10)
    shown.close()
    assert stream.getvalue() == ''
    assert list(shown.seconds) == ['round 0'] and shown.seconds['round 0'] >= 0
    assert capsys.readouterr() == ('', '')


def test_a_terminal_gets_a_bar_and_no_lines():
    stream = Terminal()
    shown = Progress(20, stream=stream)
    run(shown, 'round 0')
    run(shown, 'round 1')
    shown.close()
    text = stream.getvalue()
    assert 'round 1: 100%' in text and '20.0/20.0' in text and 'step/s' in text
    assert 'steps in' not in text and text.count('\n') == 1
    assert list(shown.seconds) == ['round 0', 'round 1']


def test_the_default_is_standard_error(capsys):
    shown = Progress(10)
    run(shown, 'round 0')
    shown.close()
    out, err = capsys.readouterr()
    assert out == '' and err.startswith('round 0: 10 steps')


def test_a_training_that_failed_has_no_seconds():
    stream = io.StringIO()
    shown = Progress(10, stream=stream)
    with pytest.raises(ZeroDivisionError), shown.training('round 0', 0, 10):
        raise ZeroDivisionError
    assert shown.seconds == {} and stream.getvalue() == ''
