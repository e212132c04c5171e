"""The scripts are sound shell, can be run, and do what their names say in the right order."""

import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = '-n logical --maxprocesses=4 --dist loadfile'
COMMANDS = [
    *('tools/lottery', 'tools/reproduce', 'tools/analyse', 'tools/report', 'tools/tickets'),
    *('tools/test', 'tools/check', '.ci/run'),
]


@pytest.mark.parametrize('script', [*COMMANDS, 'tools/lib.sh'])
def test_syntax(script):
    result = subprocess.run(['bash', '-n', str(ROOT / script)], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, '')


@pytest.mark.parametrize('script', COMMANDS)
def test_is_executable_and_stops_at_the_first_failure(script):
    assert os.access(ROOT / script, os.X_OK)
    lines = (ROOT / script).read_text().splitlines()
    assert lines[0] == '#!/usr/bin/env bash'
    assert 'set -euo pipefail' in lines


@pytest.fixture
def checkout(tmp_path):
    """The real scripts in a tree of their own, with stand-ins for python3.11 and its packages.

    The stand-in makes a `.venv` like the real one, and writes each call it gets to `calls`.
    """
    (tmp_path / 'tools').mkdir()
    (tmp_path / '.ci').mkdir()
    for script in [*COMMANDS, 'tools/lib.sh']:
        (tmp_path / script).write_text((ROOT / script).read_text())
        (tmp_path / script).chmod(0o755)
    (tmp_path / 'setup.cfg').write_text('one')
    (tmp_path / 'pyproject.toml').write_text('')
    (tmp_path / 'bin').mkdir()
    python = tmp_path / 'bin/python3.11'
    python.write_text(f"""#!/usr/bin/env bash
case "$*" in
  *fcntl*) exec python3 "$@" ;;
  '-m venv'*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo venv >>'{tmp_path}/calls' ;;
  '-m pip --version'|-c*) ;;
  *)
    echo "$*" >>'{tmp_path}/calls'
    case "$*" in
      *"${{FAIL_ON:-nothing}}"*) echo 'the reason'; exit 1 ;;
      *install*) sleep "${{INSTALL_SECONDS:-0}}" ;;
    esac ;;
esac
""")
    python.chmod(0o755)
    return tmp_path


def call(checkout, script, *arguments, cwd=None, **environment):
    path = f'{checkout}/bin:{os.environ["PATH"]}'
    return subprocess.run(
        [str(checkout / script), *arguments],
        cwd=cwd or checkout,
        env={**os.environ, 'PATH': path, **environment},
        capture_output=True,
        text=True,
    )


def calls(checkout):
    """What has been called since the last look."""
    file = checkout / 'calls'
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [line.replace('--disable-pip-version-check ', '') for line in lines]


def test_first_call_installs_and_later_ones_do_not(checkout):
    install = f'-m pip install -e {checkout}[dev]'
    assert call(checkout, 'tools/test', '-x').returncode == 0
    assert calls(checkout) == ['venv', install, '-P -m pytest -x']
    assert call(checkout, 'tools/test').returncode == 0
    assert calls(checkout) == [f'-P -m pytest {PROCESSES}']


def test_install_follows_the_settings_and_the_place(checkout):
    call(checkout, 'tools/test')
    calls(checkout)
    (checkout / 'setup.cfg').write_text('two')
    call(checkout, 'tools/test')
    assert len(calls(checkout)) == 2
    moved = checkout.rename(checkout.with_name('moved'))
    (moved / 'bin/python3.11').write_text(
        (moved / 'bin/python3.11').read_text().replace(str(checkout), str(moved))
    )
    assert call(moved, 'tools/test').returncode == 0
    assert (moved / '.venv/installed-dev').exists()


def test_runs_need_no_developer_packages_and_keep_those_that_are_there(checkout):
    call(checkout, 'tools/lottery', '--help')
    install = f'-m pip install -e {checkout}'
    assert calls(checkout) == ['venv', install, '-P -m experiments.lottery --help']
    call(checkout, 'tools/test')
    assert calls(checkout)[0] == f'{install}[dev]'
    call(checkout, 'tools/lottery')
    digits = f'--flagfile={checkout}/experiments/flagfiles/digits.txt'  # without arguments
    assert calls(checkout) == [f'-P -m experiments.lottery {digits}']
    (checkout / 'setup.cfg').write_text('two')
    call(checkout, 'tools/lottery')
    assert calls(checkout)[0] == f'{install}[dev]'


def test_failed_install_shows_the_log_and_is_repeated_from_nothing(checkout):
    result = call(checkout, 'tools/test', FAIL_ON='install -e')
    assert result.returncode == 1
    assert 'the reason' in result.stderr and 'install.log' in result.stderr
    calls(checkout)
    (checkout / '.venv/half-installed').touch()
    result = call(checkout, 'tools/test')
    assert result.returncode == 0 and 'interrupted' in result.stderr
    assert calls(checkout)[0] == 'venv'
    assert not (checkout / '.venv/half-installed').exists()


def start(checkout, script):
    """A call in the background whose install takes its time."""
    path = f'{checkout}/bin:{os.environ["PATH"]}'
    return subprocess.Popen(
        [str(checkout / script)],
        env={**os.environ, 'PATH': path, 'INSTALL_SECONDS': '0.5'},
        stderr=subprocess.DEVNULL,
    )


def test_two_calls_at_once_install_once(checkout):
    both = [start(checkout, 'tools/test') for _ in range(2)]
    assert [process.wait(timeout=30) for process in both] == [0, 0]
    assert sum('pip install' in line for line in calls(checkout)) == 1


def test_killed_install_is_repeated_from_nothing(checkout):
    killed = start(checkout, 'tools/test')
    for _ in range(100):
        if (checkout / '.venv/install.log').exists():
            break
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert not (checkout / '.venv/installed-dev').exists()
    # pip lives on for a moment and has the lock: the next call waits, and starts again.
    result = call(checkout, 'tools/test')
    assert result.returncode == 0 and 'interrupted' in result.stderr
    done = [line for line in calls(checkout) if line == 'venv' or 'install' in line]
    assert [line.split()[0] for line in done] == ['venv', '-m', 'venv', '-m']


def test_paths_are_relative_to_the_caller(checkout):
    (checkout / 'tests').mkdir()
    (checkout / 'tests/test_x.py').touch()
    call(checkout, 'tools/test', 'test_x.py::test_y', cwd=checkout / 'tests')
    assert calls(checkout)[-1] == f'-P -m pytest {checkout}/tests/test_x.py::test_y'
    call(checkout, 'tools/test', 'tests/test_x.py', '-k', 'test_x.py', cwd=checkout)
    assert calls(checkout)[-1] == '-P -m pytest tests/test_x.py -k test_x.py'


def test_check_runs_everything_and_names_what_failed(checkout):
    assert call(checkout, 'tools/check').returncode == 0
    assert calls(checkout)[2:] == [
        '-m ruff format --check .',
        '-m ruff check .',
        '-m mypy',
        '-m tools.layers',
        '-m tools.bazel --check',
    ]
    result = call(checkout, 'tools/check', FAIL_ON='mypy')
    assert result.returncode == 1
    assert 'failed: types (' in result.stderr
    assert calls(checkout)[-1] == '-m tools.bazel --check'


def test_fix_comes_before_the_checks(checkout):
    assert call(checkout, 'tools/check', '--fix').returncode == 0
    assert calls(checkout)[2:6] == [
        '-m ruff check --quiet --fix-only .',
        '-m ruff format --quiet .',
        '-m tools.bazel --write',
        '-m ruff format --check .',
    ]
    assert call(checkout, 'tools/check', '--typo').returncode == 1


def test_ci_checks_and_then_tests(checkout):
    assert call(checkout, '.ci/run', '--slow').returncode == 0
    done = calls(checkout)
    assert done[-2:] == ['-m tools.bazel --check', f'-P -m pytest {PROCESSES} --slow']
    assert call(checkout, '.ci/run', FAIL_ON='mypy').returncode == 1
    assert not any('pytest' in line for line in calls(checkout))


def test_another_python_is_refused_by_name(checkout):
    for name in ('python3.11', 'python3', 'python'):
        (checkout / 'bin' / name).write_text('#!/usr/bin/env bash\necho Python 3.9.1\nexit 1\n')
        (checkout / 'bin' / name).chmod(0o755)
    result = call(checkout, 'tools/lottery')
    assert result.returncode == 1
    assert result.stderr == (
        'lottery: expected Python 3.11 as python3.11 or python3, received Python 3.9.1, '
        'install Python 3.11\n'
    )
