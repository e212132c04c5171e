"""`provenance.json`: what a run says of itself while it runs, and how it ended."""

import json
from types import SimpleNamespace

import pytest

from lth_keras import errors, outcome, plan
from lth_keras.experiment import Experiment


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(plan, 'trainings', lambda lab: [(0, 0, 'ticket', 0)] * 7)
    return SimpleNamespace(experiment=Experiment(rounds=2))


class Run:
    """Keeps what is written; from `broken` on, the disk is full."""

    def __init__(self):
        self.texts, self.broken = [], False

    def write(self, name, content):
        if self.broken:
            raise errors.StoreError('cannot write provenance.json')
        assert name == 'provenance.json'
        self.texts.append(json.loads(content))


def test_a_run_is_running_then_finished(lab):
    run = Run()
    with outcome.recorded(run, lab):
        (running,) = run.texts
        assert running['outcome'] == 'running' and 'ended' not in running
    _, ended = run.texts
    assert ended.pop('outcome') == 'finished' and ended.pop('ended') >= running['started']
    assert ended == {k: v for k, v in running.items() if k != 'outcome'}
    assert running['planned'] == 7
    assert running['command'] == 'tools/lottery --model=lenet_300_100 --dataset=digits --rounds=2'


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (errors.TrainingError('diverged:\nmore'), 'failed: diverged:'),
        (KeyboardInterrupt(), 'interrupted'),
        (ZeroDivisionError('by zero'), 'failed: ZeroDivisionError by zero'),
        (MemoryError(), 'failed: MemoryError'),
    ],
    ids=repr,
)
def test_how_it_ended_is_kept_and_the_error_goes_on(error, said, lab):
    run = Run()
    with pytest.raises(type(error)), outcome.recorded(run, lab):
        raise error
    assert run.texts[-1]['outcome'] == said and run.texts[-1]['ended']


def test_a_full_disk_does_not_hide_what_went_wrong(lab):
    run = Run()
    with pytest.raises(errors.TrainingError, match='diverged'), outcome.recorded(run, lab):
        run.broken = True
        raise errors.TrainingError('diverged')
    assert [text['outcome'] for text in run.texts] == ['running']


def test_a_full_disk_at_the_end_of_a_good_run_is_an_error(lab):
    run = Run()
    with pytest.raises(errors.StoreError), outcome.recorded(run, lab):
        run.broken = True
