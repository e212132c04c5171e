"""The files of a report on disk, and the command that writes them."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import lth_keras as lth
from lth_keras import errors, reporting
from tests import nets
from tests.report.conftest import make_rows
from tests.report.stored import write_records, write_run

ROOT = Path(__file__).resolve().parents[2]


def rows_of(rounds=2):
    rows = make_rows(rounds=rounds, controls={'reinit': [2]})
    for i, row in enumerate(rows):
        row['stage'] = f'train-{i:016x}'
    return rows


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path, rows_of(), evaluations=4)


def files_below(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file()}


def test_everything_lies_beside_the_page(run):
    made = reporting.make_report([run])
    assert made.page == run / 'report' / 'report.html'
    found = files_below(run / 'report')
    figures = {p for p in found if p.startswith('figures/')}
    assert {'figures/accuracy.png', 'figures/accuracy.svg', 'figures/gap.svg'} <= figures
    assert {p.replace('.png', '.svg') for p in figures} <= figures
    tables = {
        'summary',
        'trainings',
        'comparisons',
        'curves',
        'gap',
        'layers',
        'times',
        'claims',
        'settings',
    }
    assert {f'tables/{name}.csv' for name in tables} <= found
    index = json.loads((run / 'report' / 'report.json').read_text())
    assert index['files'] == sorted(found - {'report.json'})
    (said,) = index['runs']
    assert said['verdict'] == made.headlines['tickets'].verdict and said['trainings'] == 12
    assert [v['round'] for v in said['verdicts']] == [1, 2]
    assert not list(run.rglob('.tmp~*'))


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    for name in ('one', 'two'):
        reporting.make_report([run], tmp_path / name)
    for path in files_below(tmp_path / 'one'):
        assert (tmp_path / 'one' / path).read_bytes() == (tmp_path / 'two' / path).read_bytes()


def test_one_run_twice_and_two_of_one_name(run, tmp_path):
    other = write_run(tmp_path / 'elsewhere', rows_of(), evaluations=4)
    made = reporting.make_report([run, other, run], tmp_path / 'out')
    assert len(made.headlines) == 3
    index = json.loads((tmp_path / 'out' / 'report.json').read_text())
    assert [r['name'] for r in index['runs']] == [run.name] * 3


def test_nothing_in_the_run_changes(run):
    before = {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}
    reporting.make_report([run])
    after = {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}
    assert before.items() <= after.items()
    assert {p.relative_to(run).parts[0] for p in after.keys() - before.keys()} == {'report'}


def test_figures_of_the_last_report_go_and_nothing_else(run, tmp_path):
    out = tmp_path / 'out'
    other = write_run(tmp_path, rows_of(1), 'other-aaaaaaaaaa', 4)
    reporting.make_report([run, other], out)
    assert (out / 'figures' / 'runs_accuracy.png').exists()
    (out / 'figures' / 'mine.png').write_bytes(b'mine')
    (out / 'notes.txt').write_text('mine')
    # A list that was changed must not reach outside.
    index = json.loads((out / 'report.json').read_text())
    index['files'] += ['figures/../notes.txt', '../other-aaaaaaaaaa/records.json', 'notes.txt', 3]
    (out / 'report.json').write_text(json.dumps(index))
    reporting.make_report([run], out)
    assert not (out / 'figures' / 'runs_accuracy.png').exists()
    assert (out / 'notes.txt').exists() and (out / 'figures' / 'mine.png').exists()
    assert (other / 'records.json').exists()


def test_no_run_and_no_folder(run, tmp_path):
    with pytest.raises(errors.ConfigError, match='at least one run'):
        reporting.make_report([])
    (tmp_path / 'file').write_text('')
    with pytest.raises(errors.StoreError, match='expected a folder'):
        reporting.make_report([run], tmp_path / 'file')


def test_weights_that_cannot_be_looked_at_are_said(run):
    reporting.make_report([run])
    page = (run / 'report' / 'report.html').read_text()
    assert 'Not shown: Survivors and pruned weights: not looked at:' in page
    reporting.make_report([run], looks=False)
    assert 'tools/analyse --only=weights' in (run / 'report' / 'report.html').read_text()


def test_the_rounds_that_are_shown_can_be_chosen(run):
    reporting.make_report([run], rounds=[0, 1])
    page = (run / 'report' / 'report.html').read_text()
    svg = (run / 'report' / 'figures' / 'validation_loss.svg').read_text()
    reporting.make_report([run], rounds=[0, 2])
    assert (run / 'report' / 'figures' / 'validation_loss.svg').read_text() != svg and page
    with pytest.raises(errors.ConfigError, match=r'rounds: expected some of 0, 1, 2, received 7'):
        reporting.make_report([run], rounds=[7])


def command(*arguments, **options):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'TF_CPP_MIN_LOG_LEVEL': '3'}
    line = [sys.executable, '-P', '-m', 'experiments.report', *map(str, arguments)]
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def test_the_command_watches_until_the_run_has_ended(run):
    record = json.loads((run / 'run.json').read_text())['identity']['configuration']
    write_records(run, rows_of(1), record)
    provenance = {'outcome': 'running', 'planned': 12}
    (run / 'provenance.json').write_text(json.dumps(provenance))
    page = run / 'report' / 'report.html'
    lock = os.open(run / 'lock', os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = command(run, '--watch', '--every=1', '--no_weights')

    def seen(text):
        return page.exists() and text in page.read_text()

    def wait(text):
        until = time.monotonic() + 60
        while not seen(text):
            assert time.monotonic() < until and process.poll() is None, text
            time.sleep(0.1)

    killer = threading.Timer(150, process.kill)
    killer.start()
    wait('running: 6 of 12 trainings')
    assert 'http-equiv="refresh" content="1"' in page.read_text()
    write_records(run, rows_of(2), record)
    wait('running: 12 of 12 trainings')
    (run / 'provenance.json').write_text(json.dumps({'outcome': 'finished', 'planned': 12}))
    os.close(lock)
    output, said = process.communicate(timeout=60)
    killer.cancel()
    assert process.returncode == 0, said
    assert output.strip().endswith('the report is up to date')
    assert not seen('http-equiv="refresh"') and seen('finished')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['nowhere'], 'error: expected the directory of a run, received nowhere'),
        ([], 'error: the following arguments are required: RUN'),
        (['x', '--every=0'], 'error: every: expected seconds >= 1'),
        (['x', '--colour=red'], 'error: unrecognized arguments'),
    ],
)
def test_what_is_wrong_is_one_line(capsys, monkeypatch, tmp_path, arguments, said):
    from experiments import report

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report.session, 'configure', lambda threads: None)
    assert report.main(arguments) == 2
    found = capsys.readouterr()
    assert found.out == '' and found.err.startswith(said) and found.err.count('\n') == 1
    assert not list(tmp_path.iterdir())


OPTIONS = {
    **{'rounds': 2, 'replicates': 2, 'training_steps': 12, 'batch_size': 20, 'eval_every': 4},
    **{'engine': 'plain', 'export': ('none',), 'quiet': True},
}


def test_a_search_ends_with_its_report(tmp_path):
    data = nets.examples(count=60, seed=1), nets.examples(count=30, seed=2)
    found = lth.find_tickets(nets.dense, *data, workdir=str(tmp_path), **OPTIONS)
    assert found.page == found.directory / 'report' / 'report.html'
    assert str(found.page) in found.describe()
    page = found.page.read_text()
    assert 'finished' in page and 'Not shown: Survivors' not in page
    assert (found.page.parent / 'figures' / 'distributions.svg').exists()
    # The network is not to be had from the records alone; what was seen of it is kept.
    reporting.make_report([found.directory])
    assert 'Not shown: Survivors' not in found.page.read_text()


def test_a_report_that_fails_costs_no_search(tmp_path, monkeypatch, capsys):
    def fails(*arguments):
        raise TypeError('a bug')

    monkeypatch.setattr(reporting.making, 'files', fails)
    data = nets.examples(count=60, seed=1), nets.examples(count=30, seed=2)
    found = lth.find_tickets(nets.dense, *data, workdir=str(tmp_path), **OPTIONS | {'rounds': 0})
    assert len(found.rows) == 2 and found.page is None
    said = capsys.readouterr().err
    assert said.startswith('note: the report was not written (TypeError: a bug): tools/report')
    assert json.loads((found.directory / 'provenance.json').read_text())['outcome'] == 'finished'
