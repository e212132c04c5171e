"""The command, as a user runs it: real processes, real files, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import lth_keras as lth

ROOT = Path(__file__).parents[2]
TINY = (
    '--model=tests.own:small --dataset=tests.own:data --training_steps=12 --batch_size=20 '
    '--eval_every=4 --rounds=2 --replicates=2 --noreport'
).split()


def lottery(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs the command from the root of the checkout."""
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
    command = [sys.executable, '-m', 'experiments.lottery', *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)


def refused(*arguments: str) -> str:
    """The one line that a wrong command gets."""
    done = lottery(*arguments)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1 and 'Traceback' not in done.stderr, done.stderr
    return lines[0]


def test_a_search_leaves_tables_plots_and_a_ticket_that_loads_alone(tmp_path):
    done = lottery(*TINY, f'--workdir={tmp_path}', '--export=2', '--threads=1')
    assert done.returncode == 0, done.stderr
    assert 'verdict' in done.stdout and 'exported ticket:' in done.stdout
    (run,) = (path for path in tmp_path.iterdir() if path.name != 'stages')
    record = json.loads((run / 'records.json').read_text())
    assert len(record['rows']) == 2 * (3 + 2)
    assert record['command'].startswith('tools/lottery --model=tests.own:small')
    densities = [r['density'] for r in record['rows'] if r['replicate'] == 0]
    assert densities == sorted(densities, reverse=True)
    for name in ('summary.csv', 'trainings.csv', 'accuracy.png', 'early_stop.png', 'result.png'):
        assert (run / name).stat().st_size > 100
    provenance = json.loads((run / 'provenance.json').read_text())
    assert provenance['threads'] == {'intra_op': 1, 'inter_op': 1}
    (folder,) = (run / 'tickets').iterdir()
    ticket = lth.Ticket.load(folder / 'ticket')
    assert ticket.trained and ticket.mask.survivors == {'dense/kernel': 62, 'dense_1/kernel': 39}
    # Plain TensorFlow serves it, in a process without tfmot and lth_keras.
    loads = (
        'import sys, tensorflow as tf;'
        f'm = tf.saved_model.load({str(folder / "saved_model")!r});'
        'f = m.signatures["serving_default"];'
        'n = list(f.structured_input_signature[1])[0];'
        'y = list(f(**{n: tf.zeros((2, 6))}).values())[0];'
        'assert not {"lth_keras", "tensorflow_model_optimization"} & set(sys.modules);'
        'print(y.shape)'
    )
    shape = subprocess.run([sys.executable, '-c', loads], capture_output=True, text=True)
    assert shape.stdout.strip() == '(2, 3)', shape.stderr
    model = ticket.model()
    served = tf.saved_model.load(str(folder / 'saved_model')).signatures['serving_default']
    (name,) = served.structured_input_signature[1]
    (output,) = served(**{name: tf.ones((4, 6))}).values()
    assert abs(output.numpy() - model(tf.ones((4, 6))).numpy()).max() < 1e-6


def test_a_second_run_trains_only_what_is_new(tmp_path):
    first = lottery(*TINY, f'--workdir={tmp_path}', '--export=none')
    assert first.stderr.count('12 steps in') == 10
    again = lottery(*TINY, f'--workdir={tmp_path}', '--export=none')
    assert again.returncode == 0 and '12 steps in' not in again.stderr
    assert again.stdout == first.stdout
    more = lottery(*TINY, '--replicates=3', f'--workdir={tmp_path}', '--export=none')
    assert more.stderr.count('12 steps in') == 5
    # Another rate is another run, but the dense networks are the same stages.
    other = lottery(*TINY, '--rate=0.5', f'--workdir={tmp_path}', '--export=none')
    assert other.stderr.count('12 steps in') == 8


def test_the_dry_run_writes_nothing(tmp_path):
    done = lottery(*TINY, f'--workdir={tmp_path / "none"}', '--dry_run')
    assert done.returncode == 0, done.stderr
    assert '10 trainings of 12 steps' in done.stdout and 'steps/s' in done.stdout
    assert not (tmp_path / 'none').exists()


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['--datset=digits'], 'Did you mean: dataset'),
        (['--model=lenet_300'], "did you mean 'lenet_300_100'"),
        (['--workdir=/dev/null'], 'received a file'),
        (['--dataset=mnist', '--data_dir=nowhere'], "below 'nowhere'"),
        ([*TINY, '--model=tests.own:no_kernels'], 'no kernel'),
        ([*TINY, '--model=tests.own:fixed_seed'], 'every replicate would start alike'),
        ([*TINY, '--model=tests.own:seeds_everything'], 'every replicate would start alike'),
        ([*TINY, '--model=tests.own:keras3'], 'import tf_keras'),
        ([*TINY, '--model=tests.own:wrong_outputs'], 'one output of 3 classes'),
        ([*TINY, '--dataset=tests.own:data_with_nan'], 'received 1 NaN'),
        ([*TINY, '--learning_rate=1e38', '--optimizer=sgd'], 'training diverged'),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(arguments, expected, tmp_path):
    arguments = [f'--workdir={tmp_path}', *arguments]
    assert expected in refused(*arguments)


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path):
    command = [sys.executable, '-m', 'experiments.lottery', *TINY, f'--workdir={tmp_path}']
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    with open('/dev/full', 'w') as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith('error: '))
    assert 'No space left on device' in line and 'table.txt' in line
    (run,) = (path for path in tmp_path.iterdir() if path.name != 'stages')
    assert 'verdict' in (run / 'table.txt').read_text()


def test_a_label_means_one_configuration(tmp_path):
    first = lottery(*TINY, f'--workdir={tmp_path}', '--label=mine', '--rounds=0', '--replicates=1')
    assert first.returncode == 0, first.stderr
    line = refused(*TINY, f'--workdir={tmp_path}', '--label=mine', '--learning_rate=0.01')
    assert '--learning_rate: recorded 0.0012, given 0.01' in line


def test_a_corrupted_stage_is_named_and_kept(tmp_path):
    short = [*TINY, f'--workdir={tmp_path}', '--rounds=0', '--replicates=1', '--export=none']
    assert lottery(*short).returncode == 0
    (stage,) = (tmp_path / 'stages').glob('train-*')
    weights = bytearray((stage / 'final.npz').read_bytes())
    weights[len(weights) // 2] ^= 1
    (stage / 'final.npz').write_bytes(weights)
    line = refused(*short)
    assert stage.name in line and 'remove' in line
    assert (stage / 'final.npz').read_bytes() == weights


def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path):
    # A file-size limit below the size of the records stands for a disk that fills up.
    command = ' '.join(
        [sys.executable, '-m', 'experiments.lottery', *TINY, f'--workdir={tmp_path}']
    )
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    limited = subprocess.run(
        ['bash', '-c', f'ulimit -f 3; exec {command}'],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
    )
    assert limited.returncode == 2, limited.stderr
    assert 'error: cannot write' in limited.stderr and 'Traceback' not in limited.stderr
    kept = set(os.listdir(tmp_path / 'stages'))
    done = lottery(*TINY, f'--workdir={tmp_path}', '--export=none')
    assert done.returncode == 0, done.stderr
    assert kept <= set(os.listdir(tmp_path / 'stages'))
    assert not [name for name in os.listdir(tmp_path / 'stages') if name.startswith('.tmp')]
