"""The part of a process among several workers, as TF_CONFIG says it."""

import json
import socket

import pytest

from lth_keras import errors, strategies

TWO = {'worker': ['a:1', 'b:2']}
LED = {'chief': ['a:1'], 'worker': ['b:2', 'c:3']}


def given(monkeypatch, cluster, kind='worker', index=0):
    task = {'type': kind, 'index': index}
    monkeypatch.setenv('TF_CONFIG', json.dumps({'cluster': cluster, 'task': task}))


@pytest.mark.parametrize(
    ('cluster', 'kind', 'index', 'expected'),
    [
        (TWO, 'worker', 0, (0, 2, 'a:1')),
        (TWO, 'worker', 1, (1, 2, 'b:2')),
        (TWO, 'worker', '1', (1, 2, 'b:2')),
        (LED, 'chief', 0, (0, 3, 'a:1')),
        (LED, 'worker', 0, (1, 3, 'b:2')),
        (dict(reversed(LED.items())), 'worker', 1, (2, 3, 'c:3')),
        ({'worker': ['[::1]:1', '[::1]:2']}, 'worker', 1, (1, 2, '[::1]:2')),
    ],
)
def test_the_role_is_that_of_the_task_and_the_chief_comes_first(
    cluster, kind, index, expected, monkeypatch
):
    given(monkeypatch, cluster, kind, index)
    role = strategies.role('multi_worker')
    assert (role.index, role.count, role.address) == expected
    assert role.chief == (expected[0] == 0) == ('the chief:' in role.describe())
    for other in ('one_device', 'mirrored'):
        assert strategies.role(other) == strategies.Role(0, 1, '') and strategies.role(other).chief


@pytest.mark.parametrize(
    ('text', 'received'),
    [
        (None, 'nothing'),
        (' ', 'nothing'),
        ('{"cluster"', 'not JSON: \'{"cluster"\''),
        ('7', 'JSON without a cluster'),
        ('{}', 'JSON without a cluster'),
        ('{"cluster": [1]}', 'JSON without a cluster'),
        ('{"cluster": {}}', '0 address'),
    ],
)
def test_a_text_that_is_no_cluster_is_refused_in_one_line(text, received, monkeypatch):
    monkeypatch.delenv('TF_CONFIG', raising=False)
    if text is not None:
        monkeypatch.setenv('TF_CONFIG', text)
    with pytest.raises(errors.ConfigError) as raised:
        strategies.role('multi_worker')
    said = str(raised.value)
    assert said.startswith('TF_CONFIG: expected all') and '\n' not in said
    assert received in said.split(strategies.EXAMPLE)[1]


@pytest.mark.parametrize(
    ('cluster', 'kind', 'index', 'received'),
    [
        (TWO, 'worker', 2, 'the task worker 2, which is none of the cluster (worker 0, worker 1)'),
        (TWO, 'worker', -1, 'the task worker -1'),
        (TWO, 'worker', None, 'the task worker None'),
        (TWO, 'worker', True, 'the task worker True'),
        (TWO, 'worker', 1.0, 'the task worker 1.0'),
        (TWO, 'chief', 0, 'the task chief 0'),
        (TWO, None, 0, 'the task None 0'),
        (TWO, ['worker'], 0, "the task ['worker'] 0"),
        (LED, 'worker', 2, 'the task worker 2'),
        ({'worker': ['a:1']}, 'worker', 0, '1 address; two or more workers train together'),
        ({'worker': 'a:1'}, 'worker', 0, 'the job worker without a list of addresses'),
        ({'worker': ['a:1', 'b']}, 'worker', 0, "the address 'b', which is not host:port"),
        ({'worker': ['a:1', ':2']}, 'worker', 0, "the address ':2'"),
        ({'worker': ['a:1', 'b:70000']}, 'worker', 0, "the address 'b:70000'"),
        ({'worker': ['a:1', 7]}, 'worker', 0, 'the address 7'),
        ({'worker': ['a:1', 'a:1']}, 'worker', 0, "the address 'a:1' twice"),
        ({'chief': ['a:1', 'b:1'], 'worker': ['c:1']}, 'chief', 0, 'more than one chief'),
        ({**TWO, 'ps': ['c:1']}, 'worker', 0, 'the jobs ps, worker; known are worker and chief'),
        ({**TWO, 'evaluator': ['c:1']}, 'evaluator', 0, 'the jobs evaluator, worker'),
    ],
)
def test_a_cluster_or_task_that_cannot_be_is_named(cluster, kind, index, received, monkeypatch):
    given(monkeypatch, cluster, kind, index)
    with pytest.raises(errors.ConfigError) as raised:
        strategies.role('multi_worker')
    assert received in str(raised.value)


def test_a_port_that_another_process_has_is_named():
    with socket.socket() as other:
        other.bind(('', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(errors.ConfigError, match=f'port {port} of here:{port} to be free'):
            strategies.check_port(strategies.Role(0, 2, f'here:{port}'))
    strategies.check_port(strategies.Role(0, 2, f'here:{port}'))


def test_a_plan_starts_no_workers(monkeypatch):
    given(monkeypatch, LED)
    planned = strategies.strategy('multi_worker', planned=True)
    assert isinstance(planned, strategies.Planned) and planned.num_replicas_in_sync == 3
    one = strategies.strategy('one_device')
    assert strategies.strategy('one_device', planned=True) is one
