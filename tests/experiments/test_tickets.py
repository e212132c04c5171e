"""The command `tools/tickets`, in this process and once as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import tickets
from tests.inventory import making

ROOT = Path(__file__).parents[2]


@pytest.fixture
def work(tmp_path):
    stage = making.train(tmp_path, 0)
    making.ticket(making.run(tmp_path, 'mlp-ab12', [making.row(stage)]), 'round-01')
    return tmp_path


def command(capsys, *arguments):
    status = tickets.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_each_subcommand_has_its_exit_status(work, capsys):
    where = f'--workdir={work}'
    assert command(capsys, 'list', work)[0] == command(capsys, 'list', where)[0] == 0
    assert 'trained ticket' in command(capsys, 'show', 'round-01', where)[1]
    assert 'none differs' in command(capsys, 'compare', 'round-01', 'mlp-ab12/round-01', where)[1]
    assert command(capsys, 'verify', where)[:2] == (0, '4 artefacts verified, 0 broken\n')
    (work / 'mlp-ab12' / 'tickets' / 'round-01' / 'ticket' / 'mask.npz').write_bytes(b'')
    status, out, _ = command(capsys, 'verify', where)
    assert status == 1 and out.endswith('4 artefacts verified, 1 broken\n')
    assert command(capsys, 'remove', 'mlp-ab12', where)[0] == 0 and (work / 'mlp-ab12').exists()
    assert command(capsys, 'remove', 'mlp-ab12', where, '--yes')[0] == 0
    assert not (work / 'mlp-ab12').exists() and not list((work / 'stages').iterdir())


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['show', 'rund-01'], 'did you mean'),
        (['show', '\x1b[2J'], "received '"),
        (['lst'], 'invalid choice'),
        (['list', '--sort=colour'], 'invalid choice'),
        (['remove'], 'received neither'),
        (['remove', '../x', '--yes'], "without '..'"),
        ([], 'required'),
    ],
)
def test_bad_input_is_one_line(work, capsys, monkeypatch, arguments, expected):
    monkeypatch.setattr(tickets, 'WORKDIR', str(work))
    status, out, err = command(capsys, *arguments)
    assert status == 2 and not out
    assert err.startswith('error: ') and err.count('\n') == 1 and expected in err
    assert err.rstrip('\n').isprintable()


def test_a_real_process_and_a_closed_pipe(work):
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    program = f'"{sys.executable}" -m experiments.tickets list "$0"'
    # Both at once: the start takes most of the time.
    script = f'{program} & {program} | true; echo "${{PIPESTATUS[0]}}"; wait'
    done = subprocess.run(
        ['bash', '-c', script, str(work)], capture_output=True, text=True, cwd=ROOT, env=env
    )
    assert 'mlp-ab12/round-01' in done.stdout and '\n2\n' in f'\n{done.stdout}'
    assert 'Traceback' not in done.stderr and done.stderr.count('error: ') == 1, done.stderr
