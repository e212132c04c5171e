"""Progress: lines in a file, a bar in a terminal, nothing when quiet."""

import io
import re

import pytest

from lth_keras import progress
from lth_keras.progress import Progress, arranged
from lth_keras.watching import Result, Training


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def network(number=0, begin=0, stop=10, **options):
    return Training(0, number, 'ticket', begin=begin, stop=stop, **options)


def told(shown, training, *steps, accuracy=0.5):
    """An evaluation at each of these steps."""
    for step in steps:
        shown.evaluated(training, {'step': float(step), 'validation_accuracy': accuracy})


def run(shown, training):
    shown.started(training)
    told(shown, training, *range(training.begin, training.stop + 1, 5))
    shown.trained(training, {'steps': 0.1})


def keep(shown, training):
    shown.done(training, Result({}, None, '', kept=True))


@pytest.fixture
def clock(monkeypatch):
    """The time of day, which stands still until a test sets it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


def test_a_file_gets_a_line_per_training():
    stream = io.StringIO()
    shown = Progress(30, stream=stream, trainings=2)
    run(shown, network())
    run(shown, network(1, 5, 25))
    shown.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    left = r'validation accuracy 0\.5000, about \d+ s left'
    first = r'replicate 0 round 0 ticket \(1/2\): 10 steps in \d+\.\d s, ' + left
    assert re.fullmatch(first, lines[0])
    second = r'replicate 0 round 1 ticket \(2/2\): 20 steps in \d+\.\d s, ' + left
    assert re.fullmatch(second, lines[1])
    assert '\r' not in stream.getvalue()


def test_a_long_training_says_where_it_is(monkeypatch):
    monkeypatch.setattr(progress, 'LOG_SECONDS', -1.0)
    stream = io.StringIO()
    shown = Progress(2000, stream=stream)
    training = network(stop=2000)
    shown.started(training)
    told(shown, training, 1000, 1500, accuracy=0.75)
    told(shown, training, 2000, accuracy=0.875)
    shown.trained(training, {})
    first, second, third, last = stream.getvalue().splitlines()
    name = 'replicate 0 round 0 ticket: '  # of how many is not known
    # Nothing is known of the pace.
    assert first == name + 'step 1,000 of 2,000, validation accuracy 0.7500'
    assert second.startswith(name + 'step 1,500 of 2,000, validation accuracy 0.7500, about ')
    assert third.endswith('step 2,000 of 2,000, validation accuracy 0.8750, about 0 s left')
    assert last.startswith(name + '2,000 steps in ')


def test_the_time_left_leaves_out_what_is_kept(clock):
    stream = io.StringIO()
    shown = Progress(100, stream=stream, trainings=4)
    keep(shown, network(stop=40))
    training = network(1, 0, 20)
    shown.started(training)
    clock[0] = 70.0
    told(shown, training, 10)
    clock[0] = 75.0
    told(shown, training, 20)
    shown.trained(training, {'steps': 4.0})
    # 40 of 100 steps are kept. The first 10 waited for the compiler, 10 took 5 s, 40 are left.
    said = 'ticket (2/4): 20 steps in 75.0 s, validation accuracy 0.5000, about 20 s left\n'
    assert stream.getvalue().endswith(said)
    assert shown.seconds == {training.name: 75.0}
    assert shown.parts == {training.name: {'steps': 4.0}}


def test_what_a_stop_rule_may_leave_out_makes_the_time_an_upper_bound(clock):
    stream = io.StringIO()
    shown = Progress(100_000, stream=stream, at_most=True)
    training = network(stop=20)
    shown.started(training)
    told(shown, training, 10)
    clock[0] = 1.0
    told(shown, training, 20)
    shown.trained(training, {})
    assert stream.getvalue().endswith(', at most 2.8 h left\n')


def test_skipped_trainings_are_taken_off_the_total():
    stream = Terminal()
    shown = Progress(30, stream=stream, trainings=9)
    keep(shown, network(begin=5, stop=15))
    training = network(1, stop=20)
    shown.started(training)
    told(shown, training, 10)
    shown.close()
    assert '1/9 replicate 0 round 0 ticket (kept)' in stream.getvalue()
    assert '2/9 replicate 0 round 1 ticket  50%|' in stream.getvalue()


def test_skipping_says_nothing_in_a_file_and_counts_no_seconds():
    stream = io.StringIO()
    shown = Progress(30, stream=stream)
    keep(shown, network(stop=30))
    shown.close()
    assert stream.getvalue() == '' and shown.seconds == {}


def test_what_was_trained_and_is_done_counts_once():
    stream = io.StringIO()
    shown = Progress(30, stream=stream, trainings=3)
    for number in range(2):
        run(shown, network(number))
        shown.done(network(number), Result({}, None, '', kept=False))
    assert '(2/3): ' in stream.getvalue() and '(3/3)' not in stream.getvalue()


@pytest.mark.parametrize('stream', [io.StringIO(), Terminal()], ids=['file', 'terminal'])
def test_quiet_prints_nothing_but_takes_the_time(stream, capsys):
    shown = Progress(30, quiet=True, stream=stream)
    run(shown, network())
    keep(shown, network(1))
    shown.close()
    assert stream.getvalue() == ''
    assert list(shown.seconds) == [network().name] and shown.seconds[network().name] >= 0
    assert capsys.readouterr() == ('', '')


def test_a_terminal_gets_a_bar_and_no_lines():
    stream = Terminal()
    shown = Progress(20, stream=stream, trainings=2)
    run(shown, network())
    run(shown, network(1))
    shown.close()
    text = stream.getvalue()
    assert '2/2 replicate 0 round 1 ticket 100%|' in text and 'val 0.5000' in text
    assert 's left' in text and 'steps in' not in text and text.count('\n') == 1
    assert list(shown.seconds) == [network().name, network(1).name]


@pytest.mark.parametrize('where', ['', 'fashion_mnist'])
@pytest.mark.parametrize('variant', ['ticket', 'random_mask_global'])
@pytest.mark.parametrize('width', [20, 40, 60, 80, 120, 200])
def test_a_line_never_wraps(width, variant, where):
    training = Training(10, 12, variant, 3, where=where)
    facts = 'val 0.9531', '12.5k step/s', 'at most 119 min left'
    before, after = arranged(f'1200/1300 {training.name}', *facts, width)
    bar = f'{before} 100%|{"#" * progress.BAR}| {after}'
    assert len(bar) < max(width, progress.BAR + progress.AROUND + len(facts[2]) + 2)
    assert after.endswith(facts[2]), 'the time left is what people look for'
    if width >= 80:
        assert before.startswith('1200/1300 ') and facts[0] in after
    if width >= 200:
        assert training.name in before and facts[1] in after


def test_the_default_is_standard_error(capsys):
    shown = Progress(10)
    run(shown, network())
    out, err = capsys.readouterr()
    assert out == '' and err.startswith('replicate 0 round 0 ticket: 10 steps')


def test_a_training_that_failed_has_no_seconds():
    stream = io.StringIO()
    shown = Progress(10, stream=stream)
    shown.started(network())
    shown.close()
    assert shown.seconds == {} and stream.getvalue() == ''
