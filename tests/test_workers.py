"""Several workers: what they agree on, who writes, and two real processes of the command."""

import collections
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import lth_keras as lth
from lth_keras import artefact as artefacts
from lth_keras import errors, finding, workers
from lth_keras.artefact import Artefact
from lth_keras.errors import StoreError
from lth_keras.experiment import Experiment
from lth_keras.files import Files
from lth_keras.store import Store, stage_key
from lth_keras.strategies import Role

ROOT = Path(__file__).resolve().parents[1]
INPUTS = {'round': 1}
IDENTITY = {'configuration': {'rate': 0.2}, 'device': 'CPU', 'threads': 2}


class Board:
    """What the workers said, by the number of the call; and whether one of them has failed."""

    def __init__(self, count):
        self.count, self.failed = count, False
        self.said = collections.defaultdict(dict)
        self.changed = threading.Condition()


class Thread(workers.Team):
    """A worker in a thread of this process: the others hear it through the board."""

    def __init__(self, index, board):
        super().__init__(Role(index, board.count))
        self.board, self.calls = board, 0

    def gather(self, text):
        with self.board.changed:
            said = self.board.said[self.calls]
            self.calls += 1
            said[self.role.index] = text
            self.board.changed.notify_all()
            self.board.changed.wait_for(
                lambda: len(said) == self.board.count or self.board.failed, timeout=20
            )
            assert len(said) == self.board.count, 'the others are somewhere else'
            return [said[index] for index in range(self.board.count)]


def in_threads(*acts):
    """What each act, given its team, returns or raises; they run as workers of one team."""
    board, ends = Board(len(acts)), [None] * len(acts)

    def run(index):
        try:
            ends[index] = acts[index](Thread(index, board))
        except Exception as error:
            ends[index] = error
            with board.changed:
                board.failed = True
                board.changed.notify_all()

    started = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(timeout=60)
    return ends


def mask(value=0.5):
    kernel = np.arange(12).reshape(3, 4) % 2 == 0
    return Artefact('mask', {'density': value}, {'mask': {'dense/kernel': kernel}})


def stages(workdir):
    return sorted(path.name for path in (workdir / 'stages').glob('*'))


class Watched(Files):
    """The disk, and who wrote to it."""

    def __init__(self, fails=False):
        self.writers, self.fails = set(), fails

    def sync(self, path):
        pass

    def write(self, path, data):
        self.writers.add(threading.get_ident())
        if self.fails:
            raise OSError(28, 'No space left on device')
        super().write(path, data)


def test_alone_everything_is_agreed_on(tmp_path):
    team = workers.Team()
    assert team.chief and team.gather('x') == ['x'] and team.together(lambda: 7) == 7
    team.agree('it', 'anything', 'nothing')
    assert type(workers.store(tmp_path, team)) is Store


def test_what_workers_say_arrives_also_if_it_is_long():
    heard = []
    for text in ('', 'stage is there', 'ü', 'a' * 512, 'a' * 513 + 'b', 'a' * 513 + 'c'):
        team = workers.Team(Role(1, 3), type('Strategy', (), {'num_replicas_in_sync': 6}))
        # As from two devices for each worker.
        team._sum = lambda rows: tf.reshape(rows, (3, -1)) * 2
        first, second, third = team.gather(text)
        assert first == third == ''
        heard.append(second)
    assert heard[:4] == ['', 'stage is there', 'ü', 'a' * 512]
    assert heard[4] != heard[5] and heard[4].startswith('a' * 400 + 'a')


def test_all_make_a_stage_and_the_chief_alone_writes_it(tmp_path):
    disk, made = Watched(), []

    def work(team):
        store = workers.store(tmp_path, team)
        store.files = disk
        stage = store.get_or('mask', INPUTS, lambda: made.append(team.role.index) or mask())
        again = store.get_or('mask', INPUTS, lambda: made.append('again'))
        return threading.get_ident(), stage, again

    (chief, *stages0), *others = in_threads(work, work, work)
    assert sorted(made) == [0, 1, 2] and disk.writers == {chief}
    for stage in [*stages0, *others[0][1:], *others[1][1:]]:
        assert artefacts.encode(stage) == artefacts.encode(stages0[0])
        assert not stage.arrays['mask']['dense/kernel'].flags.writeable  # it was read
        assert stage.meta == {'density': 0.5, 'inputs': INPUTS}
    assert stages(tmp_path) == [f'mask-{stage_key("mask", INPUTS)}']


def test_a_stage_that_only_some_have_is_an_error_on_all(tmp_path, monkeypatch):
    Store(tmp_path / 'one').get_or('mask', INPUTS, mask)
    made = []

    def work(team):
        store = workers.store(tmp_path / ('two' if team.chief else 'one'), team)
        return store.get_or('mask', INPUTS, lambda: made.append(team) or mask())

    for end in in_threads(work, work):
        assert isinstance(end, StoreError) and str(end).startswith('expected one --workdir that')
        assert re.search(r'worker 0: stage \S+ is absent; worker 1: stage \S+ is there', str(end))
    assert not made and not (tmp_path / 'two').exists()


def test_a_folder_that_is_not_shared_is_found_out_when_nothing_is_there_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, 'PATIENCE', 0.2)

    def opens(team):
        store = workers.store(tmp_path / str(team.role.index), team)
        with store.open_run('lenet', 'ab12', IDENTITY):
            raise AssertionError('opened')

    def makes(team):
        return workers.store(tmp_path / f'x{team.role.index}', team).get_or('mask', INPUTS, mask)

    for end in in_threads(opens, opens):
        assert isinstance(end, StoreError) and 'one --workdir that all workers share' in str(end)
        assert 'worker 1: does not see the run that the chief opened' in str(end)
    chief, worker = in_threads(makes, makes)
    assert 'is not there: give every worker the same folder' in str(worker)
    assert isinstance(chief, StoreError) and str(chief) == f'worker 1 stopped: {worker}'


def test_other_bits_are_not_written(tmp_path):
    def work(team):
        return workers.store(tmp_path, team).get_or(
            'mask', INPUTS, lambda: mask(0.5 + team.role.index)
        )

    for end in in_threads(work, work):
        assert isinstance(end, StoreError) and 'the same bits from every worker' in str(end)
    assert not stages(tmp_path)


def test_a_disk_that_refuses_the_chief_stops_all(tmp_path):
    def work(team):
        store = workers.store(tmp_path, team)
        store.files = Watched(fails=True)
        return store.get_or('mask', INPUTS, mask)

    chief, worker = in_threads(work, work)
    assert isinstance(chief, StoreError) and 'No space left' in str(chief)
    assert isinstance(worker, StoreError) and str(worker) == f'worker 0 stopped: {chief}'


def test_a_corrupted_stage_stops_all(tmp_path):
    Store(tmp_path).get_or('mask', INPUTS, mask)
    (manifest,) = tmp_path.glob('stages/*/manifest.json')
    manifest.write_text('{}')

    def work(team):
        return workers.store(tmp_path, team).get_or('mask', INPUTS, mask)

    for end in in_threads(work, work):
        assert isinstance(end, StoreError) and str(manifest) in str(end)


@pytest.mark.parametrize(
    ('other', 'said'),
    [
        ({'device': 'GPU'}, 'worker 0: device "CPU"; worker 1: device "GPU"'),
        ({'configuration': {'rate': 0.3}}, 'configuration.rate 0.2; worker 1: configuration.rate'),
        ({'more': 1}, 'worker 1: more 1'),
    ],
)
def test_workers_of_another_kind_are_named(other, said, tmp_path):
    def work(team):
        identity = IDENTITY if team.chief else {**IDENTITY, **other}
        with workers.store(tmp_path, team).open_run('lenet', 'ab12', identity):
            raise AssertionError('opened')

    for end in in_threads(work, work):
        assert isinstance(end, StoreError) and said in str(end)
    assert not list(tmp_path.iterdir())


def test_the_chief_holds_the_run_until_all_have_left_it_and_what_others_write_is_nowhere(tmp_path):
    left, inside = [], threading.Event()

    def work(team):
        with workers.store(tmp_path, team).open_run('lenet', 'ab12', IDENTITY) as run:
            run.write('results.csv', f'of {team.role.index}')
            run.write(f'curves/{team.role.index}.csv', '')
            with pytest.raises(StoreError, match='expected the name of a result'):
                run.write('lock', '')
            if not team.chief:
                inside.wait(20)
                with pytest.raises(StoreError, match='to be free'):
                    with Store(tmp_path).open_run('lenet', 'ab12', IDENTITY):
                        pass
                left.append(1)
            else:
                inside.set()
        if team.chief:
            assert left == [1]
        return run.directory

    first, second = in_threads(work, work)
    assert first == second == tmp_path / 'lenet-ab12'
    assert (first / 'results.csv').read_text() == 'of 0'
    assert [path.name for path in (first / 'curves').iterdir()] == ['0.csv']
    assert not list(tmp_path.rglob('.tmp~*'))


def test_a_second_team_on_a_directory_is_refused_to_the_last_worker(tmp_path):
    def work(team):
        with workers.store(tmp_path, team).open_run('lenet', 'ab12', IDENTITY):
            raise AssertionError('opened')

    with Store(tmp_path).open_run('lenet', 'ab12', IDENTITY):
        chief, worker = in_threads(work, work)
    assert isinstance(chief, StoreError) and 'another run' in str(chief)
    assert isinstance(worker, StoreError) and str(worker) == f'worker 0 stopped: {chief}'


@pytest.mark.parametrize(
    'error', [tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.InternalError]
)
def test_a_lost_worker_is_one_line(error):
    def work(team):
        with workers.joined(team, 'a command'):
            raise error(None, None, 'Collective ops is aborted by: Socket closed\nmore')

    for end in in_threads(work, work):
        assert isinstance(end, errors.TrainingError) and '\n' not in str(end)
        assert 'start all again with the same command' in str(end)
    with pytest.raises(error):
        work(workers.Team())  # alone it means something else


def test_other_failures_stay_what_they_are_and_other_commands_are_refused():
    def exhausted(team):
        with workers.joined(team, 'a command'):
            raise tf.errors.ResourceExhaustedError(None, None, 'out of memory')

    def other(team):
        with workers.joined(team, f'--rounds={team.role.index}'):
            raise AssertionError('joined')

    for end in in_threads(exhausted, exhausted):
        assert isinstance(end, tf.errors.ResourceExhaustedError)
    for end in in_threads(other, other):
        assert isinstance(end, StoreError)
        assert 'worker 0: --rounds=0; worker 1: --rounds=1' in str(end)


# Two processes on this machine, as a user starts them.

SEARCH = {
    **{'rounds': 3, 'replicates': 1, 'controls': (), 'export': ('3',), 'training_steps': 60},
    **{'eval_every': 20, 'optimizer': 'sgd', 'learning_rate': 0.1, 'rewind_step': 5},
}
FLAGS = [
    *['--rounds=3', '--replicates=1', '--controls=none', '--export=3', '--training_steps=60'],
    *['--eval_every=20', '--optimizer=sgd', '--learning_rate=0.1', '--rewind_step=5'],
]
NOT_RESULTS = ('timings.json', 'provenance.json', 'lock')


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(('', 0))
        return [each.getsockname()[1] for each in sockets]


class Pair:
    """The command in two processes; they are ended when the test ends."""

    def __init__(self, workdir, *flags, jobs=('worker', 'worker')):
        self.workdir = workdir
        addresses = [f'localhost:{port}' for port in free_ports(2)]
        cluster = {job: [] for job in jobs}
        tasks = []
        for job, address in zip(jobs, addresses, strict=True):
            tasks.append({'type': job, 'index': len(cluster[job])})
            cluster[job].append(address)
        self.processes = [self._start({'cluster': cluster, 'task': task}, flags) for task in tasks]

    def _start(self, config, flags):
        command = [sys.executable, '-P', '-m', 'experiments.lottery', '--strategy=multi_worker']
        command += ['--noreport']
        env = {**os.environ, 'PYTHONPATH': str(ROOT), 'TF_CONFIG': json.dumps(config)}
        return subprocess.Popen(
            [*command, *FLAGS, *flags, f'--workdir={self.workdir}'],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.communicate()

    def ends(self, *indices):
        """(exit status, standard output, standard error) of the processes."""
        found = []
        for index in indices or range(2):
            out, err = self.processes[index].communicate(timeout=240)
            found.append((self.processes[index].returncode, out, err))
        return found


def finished(workdir, *flags, jobs=('worker', 'worker')):
    """How two workers end; a port that another process took meanwhile is another try."""
    for _ in range(3):
        with Pair(workdir, *flags, jobs=jobs) as pair:
            ends = pair.ends()
        if not any('to be free here' in err for _, _, err in ends):
            break
    return ends


def rows(workdir):
    (path,) = workdir.glob('*/records.json')
    return json.loads(path.read_text())['rows']


def results(workdir):
    """Relative path -> bytes of every file that holds a result."""
    return {
        str(path.relative_to(workdir)): path.read_bytes()
        for path in sorted(workdir.rglob('*'))
        if path.is_file() and path.name not in NOT_RESULTS and 'saved_model' not in str(path)
    }


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """A work directory, and how the chief and the other worker ended that filled it."""
    workdir = tmp_path_factory.mktemp('undisturbed')
    return workdir, finished(workdir, '--threads=1')


def test_two_processes_find_what_one_finds(undisturbed, tmp_path):
    workdir, ((status, out, err), (other_status, other_out, other_err)) = undisturbed
    assert status == other_status == 0, (err, other_err)
    assert 'verdict' in out and 'exported ticket:' in out and err.count('steps in') == 4
    assert err.startswith('worker 0 of 2, the chief: ')
    assert other_out == '' and other_err.count('\n') == 1
    assert other_err.startswith('worker 1 of 2: waits for the others; the chief writes')
    found = finding.find(Experiment(**SEARCH, workdir=str(tmp_path), engine='plain'), quiet=True)
    assert len(rows(workdir)) == len(found.rows) == 4
    for one, two in zip(found.rows, rows(workdir), strict=True):
        assert one.keys() == two.keys() and one['stage'] != two['stage']
        assert one['layers'] == two['layers']
        for name in one:
            if name.endswith('loss'):
                assert abs(one[name] - two[name]) < 1e-5, name
    (folder,) = workdir.glob('*/tickets/*')
    assert lth.Ticket.load(folder).mask == found.ticket().mask
    (record,) = workdir.glob('*/provenance.json')
    # A process with a server in it needs a second thread between operations.
    assert json.loads(record.read_text())['threads'] == {'intra_op': 1, 'inter_op': 2}
    assert not list(workdir.rglob('.tmp~*'))


def test_started_again_nothing_is_trained_anew(undisturbed):
    workdir, ((_, said, _), _) = undisturbed
    before = results(workdir)
    ends = finished(workdir, '--threads=1', jobs=('chief', 'worker'))
    for status, _, err in ends:
        assert status == 0 and 'steps in' not in err, err
    assert ends[0][1] == said and ends[1][1] == '' and results(workdir) == before


@pytest.mark.slow
@pytest.mark.parametrize('killed', [0, 1])
def test_a_lost_worker_ends_the_other_and_started_again_they_end_alike(
    killed, undisturbed, tmp_path
):
    with Pair(tmp_path, '--threads=1') as pair:
        while not list(tmp_path.glob('stages/train-*')) and pair.processes[killed].poll() is None:
            time.sleep(0.01)
        pair.processes[killed].send_signal(signal.SIGKILL)
        began = time.monotonic()
        ((status, out, err),) = pair.ends(1 - killed)
        assert time.monotonic() - began < 30  # noticed at once, not after the heartbeat's 60
    assert status == 2 and out == '' and 'Traceback' not in err, err
    (line,) = [line for line in err.splitlines() if line.startswith('error: ')]
    assert line.startswith('error: a worker stopped') and err.endswith(f'{line}\n')
    kept = {path.name: path.stat().st_ino for path in (tmp_path / 'stages').glob('[!.]*')}
    assert kept
    for status, _, err in finished(tmp_path, '--threads=1'):
        assert status == 0 and err.count('steps in') < 4, err
    for name, inode in kept.items():
        assert (tmp_path / 'stages' / name).stat().st_ino == inode
    assert results(tmp_path) == results(undisturbed[0])
