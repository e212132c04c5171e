"""The benchmark judges as it says: arithmetic, ratios, agreement, tables; and a whole small run."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lth_keras import errors
from tools.benchmarks import by_hand as hands
from tools.benchmarks import (
    child,
    contest,
    fitting,
    judging,
    library,
    material,
    networks,
    pages,
    tables,
    verdicts,
)
from tools.benchmarks.contestants import EVALUATION, TRAINING, chosen

ROOT = Path(__file__).resolve().parents[2]
SMALL = networks.Network(
    *('lenet', 'lenet_300_100', 'mnist', (4, 4, 1), 10, 'adam', 1.2e-3),
    batches=8,
    quantum=4,
    check=12,
    tolerance=1e-4,
)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """The material of a small network, written and read again."""
    folder = tmp_path_factory.mktemp('material')
    facts = material.prepare(SMALL, folder, SMALL.batches, '')
    assert facts['examples'] == 80 and facts['validation'] == 5000
    assert facts['weights'] == 16 * 300 + 300 * 100 + 100 * 10 + 410
    assert facts['masked'] == facts['weights'] - 410
    return material.load(SMALL, folder)


# Arithmetic.


@pytest.mark.parametrize(
    'name, forward, first',
    [
        ('lenet', 784 * 300 + 300 * 100 + 100 * 10, 784 * 300),
        # 32 x 32 positions of 27 and 576 inputs to 64 filters; 16 x 16 x 64 = 16,384 after the pool
        (
            'conv_2',
            1024 * 64 * (27 + 576) + 16_384 * 256 + 256 * 256 + 256 * 10,
            1024 * 64 * 27,
        ),
    ],
)
def test_arithmetic_of_a_step_by_hand(name, forward, first):
    network = networks.NETWORKS[name]
    products = material.products(material.builder(network)())
    assert networks.forward_flops(products, 1) == 2 * forward
    assert networks.step_flops(products, 60) == 60 * 2 * (3 * forward - first)


def test_arithmetic_of_resnet_counts_shortcuts_and_strides():
    products = material.products(material.builder(networks.NETWORKS['resnet_20'])())
    assert len(products) == 20 + 2
    by_shape = {(p.positions, p.inputs, p.outputs) for p in products}
    assert {(1024, 27, 16), (256, 16, 32), (64, 32, 64), (64, 576, 64), (1, 64, 10)} <= by_shape


def test_wider_networks_have_wider_hidden_layers_only():
    model = material.builder(networks.NETWORKS['lenet'].wider(2))()
    assert [w.shape for w in model.get_weights()[::2]] == [(784, 600), (600, 200), (200, 10)]


# Ratios.


def test_ratios_are_taken_per_round():
    # The machine was half as fast in the second round: no ratio shows it.
    assert judging.ratios([2.0, 1.0, 2.2], [4.0, 2.0, 4.0]) == [0.5, 0.5, 0.55]
    assert tables.ratio([0.5, 0.5, 0.55]) == '0.50 [0.50, 0.53]'


def test_each_contestant_comes_first_in_turn():
    assert [judging.rotated(['a', 'b', 'c'], n)[0] for n in range(4)] == ['a', 'b', 'c', 'a']


# Agreement, and what must be refused.

START = {'w': np.zeros(4)}
FIT = {'w': np.array([1.0, 0.0, 1.0, 1.0])}
MASKS = {'w': np.array([True, False, True, True])}


def test_rounding_is_accepted():
    assert judging.refusal({'w': FIT['w'] * (1 + 1e-6)}, FIT, START, 1e-4, MASKS) == ''


@pytest.mark.parametrize(
    'weights, why',
    [
        (np.array([1.0, 0.0, 1.0, 1.1]), 'weights are 0.058 of the way apart'),
        (np.array([1.0, 0.0, 1.0, np.nan]), 'weights are inf of the way apart'),
        (np.array([1.0, 1e-8, 1.0, 1.0]), '1 pruned weights are not 0'),
    ],
)
def test_others_are_refused(weights, why):
    assert why in judging.refusal({'w': weights}, FIT, START, 1e-4, MASKS)


def test_weights_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match='expected weights of shapes'):
        judging.difference({'w': np.zeros(3)}, FIT, START)


def test_standing_still_is_not_agreement():
    assert judging.difference(START, START, START) == np.inf


def after(contestant, steps=SMALL.check, slices=2):
    """Weights before and after some steps, taken in slices."""
    contestant.start()
    before = contestant.weights()
    for number in range(slices):
        contestant.prepare(number * steps // slices, steps // slices)
        assert contestant.run() == steps // slices
    return before, contestant.weights()


@pytest.fixture(scope='module')
def references(shared):
    """Name -> weights before and after of plain `fit`, dense and masked."""
    return {name: after(getattr(fitting, name)(shared)) for name in ('fit', 'fit_held')}


def refusal(shared, references, contestant, reference):
    start, want = references[reference]
    _, weights = after(contestant)
    masks = shared.masks if reference == 'fit_held' else {}
    return judging.refusal(weights, want, start, SMALL.tolerance, masks)


GOOD = [
    (fitting.fit_jit, 'fit'),
    (fitting.tfmot_idle, 'fit'),
    (library.library_dense, 'fit'),
    (library.library_fit_dense, 'fit'),
    (library.library_masked, 'fit_held'),
    (library.library_fit_masked, 'fit_held'),
    (hands.by_hand, 'fit_held'),
]


@pytest.mark.parametrize('make, reference', GOOD, ids=lambda v: getattr(v, '__name__', None))
def test_the_paths_agree_with_plain_fit(shared, references, make, reference):
    assert refusal(shared, references, make(shared), reference) == ''


def test_a_second_start_is_the_first_again(shared, references):
    contestant = library.library_masked(shared)
    first = after(contestant)[1]
    again = after(contestant)[1]
    assert all(np.array_equal(first[path], again[path]) for path in first)


def other_order(shared):
    """The right examples in other batches."""
    contestant = hands.by_hand(shared)
    prepare = contestant.prepare
    contestant.prepare = lambda first, count: prepare(first + 1, count)
    return contestant


def without_correction(shared):
    """Adam without the correction of its bias."""
    contestant = fitting.fit_held(shared)
    fresh, iterations = contestant.start, contestant.model.optimizer.iterations

    def start():
        fresh()
        iterations.assign(10_000)

    contestant.start = start
    return contestant


def without_masks(shared):
    """Starts with pruned weights at 0, and trains them."""
    return fitting.Fit(shared, shared.build(), masked=True)


def stock_tfmot(shared):
    """Chooses its own masks."""
    return fitting.tfmot_stock(shared)


def other_epsilon(shared, monkeypatch):
    """An Adam of another library."""
    monkeypatch.setattr(hands, 'EPSILON', 1e-3)
    return hands.by_hand(shared)


@pytest.mark.parametrize('bad', [other_order, without_correction, without_masks, stock_tfmot])
def test_known_bad_contestants_are_refused(shared, references, bad):
    assert refusal(shared, references, bad(shared), 'fit_held') != ''


def test_another_epsilon_is_refused(shared, references, monkeypatch):
    assert refusal(shared, references, other_epsilon(shared, monkeypatch), 'fit_held') != ''


# Verdicts and tables.


def row(*rates, **more):
    memory = {'base': 500_000_000, 'peak': 700_000_000}
    row = {'rates': list(rates), 'processor': [2 / r for r in rates], 'memory': memory}
    return {**row, **({} if 'product' in more else {'difference': 2e-5, 'refused': ''}), **more}


def result(**contestants):
    """A contest of two rounds, one step of which is 1 MFLOP."""
    return {
        'network': 'lenet',
        'products': [[1, 500, 50]],
        'batch_size': 10,
        'weights': 25_000,
        'masked': 25_000,
        'examples': 100,
        'validation': 50,
        'data': 'made',
        'check': 100,
        'tolerance': 1e-4,
        'slice': 200,
        'steps': 500,
        'broken': {},
        'contestants': {
            'fit': row(500.0, 510.0, difference=0.0, difference_at_end=0.0),
            'fit_jit': row(1000.0, 900.0, difference_at_end=0.01),
            'library_dense': row(1700.0, 1600.0),
            'library_masked': row(1600.0, 1600.0),
            'by_hand': row(1650.0, 1700.0),
            'ceiling': row(3.3e9, 3.5e9, product='1024 x 1024 XLA'),
            **contestants,
        },
    }


RECORD = {
    'format': tables.FORMAT,
    'version': tables.VERSION,
    'command': 'tools/benchmark --rounds=2',
    'provenance': {
        'date': '2026-01-02T03:04:05Z',
        'commit': '0123abcdef',
        'processor': {
            'name': 'A Processor',
            'architecture': 'x86_64',
            'processors': 2,
            'instructions': ['avx2', 'fma'],
        },
        'platform': 'Linux',
        'libraries': {'python': '3.11.1', 'numpy': '2.0.0'},
        'environment': {'XLA_FLAGS': ''},
        'load_before': 0.1,
    },
    'results': {
        'smoke': False,
        'broken': [],
        'contest': [result()],
        'evaluation': [
            {
                **result(),
                'contestants': {
                    'evaluation': row(
                        95.0, 95.0, engine='compiled', found={'loss': 2.3, 'accuracy': 0.1}
                    ),
                    'forward_compiled': row(100.0, 100.0, found={'loss': 2.3, 'accuracy': 0.1}),
                },
            }
        ],
        'search': {
            'digits': {
                'flags': {'dataset': 'digits', 'rounds': 3},
                'wall': 20.0,
                'trainings': 4,
                'start_up': 5.0,
                'steps': 9.0,
                'evaluation': 1.0,
                'around': 2.0,
                'outside': 8.0,
            }
        },
    },
}


def test_a_contest_gives_the_ratios():
    compared = verdicts.training(result())
    assert compared.flops == 1_000_000
    assert compared.share == [0.5, 1700 / 3500]
    assert compared.best_fit == 'fit_jit'
    assert compared.by_hand['library_masked'] == [1600 / 1650, 1600 / 1700]
    assert compared.to_fit['library_masked'] == [1.6, 1600 / 900]
    assert compared.pairs == {'library_masked': [1600 / 1700, 1.0]}
    assert compared.problems == []


def test_who_disagrees_has_no_ratio():
    bad = row(9000.0, 9000.0, difference=0.4, refused='weights are 0.4 of the way apart')
    compared = verdicts.training(result(library_masked=bad, fit_jit=bad))
    for ratios in (compared.by_hand, compared.to_fit, compared.pairs):
        assert 'library_masked' not in ratios and 'fit_jit' not in ratios
    assert compared.best_fit == 'fit'  # a wrong one is no reference either
    assert compared.problems == [
        f'lenet, {name}: weights are 0.4 of the way apart' for name in ('fit_jit', 'library_masked')
    ]
    header, rows, notes = tables.contest(result(library_masked=bad))
    line = next(cells for cells in rows if cells[0] == 'search path, masked')
    assert line[3:5] == ['', ''] and line[-1] == 'refused'


def test_a_slow_yardstick_measures_nothing():
    slow = row(1000.0, 1000.0)
    compared = verdicts.training(result(by_hand=slow))
    assert compared.by_hand == {} and compared.to_fit and 'reaches 0.29' in compared.problems[0]
    assert 'of by hand' not in tables.contest(result(by_hand=slow))[0]
    assert verdicts.training(result(by_hand=slow), judges_speed=False).problems == []


def test_a_wrong_yardstick_measures_nothing():
    compared = verdicts.training(result(by_hand=row(1700.0, 1700.0, refused='no')))
    assert compared.by_hand == {} and compared.problems == ['lenet, by_hand: no']


def test_what_could_not_be_built_is_a_problem():
    assert verdicts.training({**result(), 'broken': {'tfmot': 'why'}}).problems == [
        'lenet, tfmot: why'
    ]


def test_another_evaluation_is_a_problem():
    wrong = json.loads(json.dumps(RECORD))
    wrong['results']['evaluation'][0]['contestants']['evaluation']['found']['loss'] = 2.4
    assert 'the loss differs by 0.1' in verdicts.problems(wrong['results'])[0]
    assert verdicts.problems(RECORD['results']) == []


def test_tables_for_the_terminal():
    text = tables.text(RECORD)
    assert text.startswith('lenet\npath ')
    assert 'best matrix product: 1024 x 1024 XLA, 3 GFLOP/s\n' in text
    assert 'by hand, of the best matrix product: 0.49 [0.49, 0.50]\n' in text
    lines = text.splitlines()
    assert lines[lines.index('search') + 1 :][:3] == [
        'search  trainings  seconds  steps  evaluation  around  start-up  rest  '
        'not steps or evaluation',
        'digits          4     20.0    9.0         1.0     2.0       5.0   3.0                    '
        '0.500',
        'digits: tools/lottery --dataset=digits --rounds=3',
    ]


def test_the_table_of_a_contest():
    lines = tables.block(RECORD, 'lenet').splitlines()
    assert lines[0] == (
        '| path | steps/s | CPU ms/step | of by hand | of best `fit` | peak MB | grown by MB '
        '| apart at 100 |'
    )
    assert lines[2] == (
        '| plain `fit` | 505 [502, 508] | 3.96 | 0.30 [0.30, 0.30] | 0.53 [0.52, 0.55] | 700 | 200 '
        '| 0e+00 |'
    )
    assert lines[7].startswith('| best matrix product | 3,400 [3,350, 3,450] | 0.59 |  |  | 700 |')
    assert '- masked over dense, search path, masked: 0.97 [0.96, 0.99]' in lines


def test_tables_for_the_docs():
    assert tables.block(RECORD, 'evaluation') == (
        '| network | path | evaluation ms | forward pass ms | ratio | GFLOP/s |\n'
        '| :--- | ---: | ---: | ---: | ---: | ---: |\n'
        '| lenet | compiled | 10.5 | 10.0 | 1.05 [1.05, 1.05] | 0 |\n'
        '\n'
        '- 50 images\n'
    )
    assert tables.block(RECORD, 'machine') == (
        '- A Processor (x86_64), 2 processors\n'
        '- instruction sets avx2, fma\n'
        '- python 3.11.1, numpy 2.0.0\n'
        '- XLA_FLAGS=\n'
        '- load before the start 0.1\n'
        '\n'
        'Recorded on 2026-01-02 at commit `0123abcdef` with\n'
        '\n'
        '```sh\n'
        'tools/benchmark --rounds=2\n'
        '```\n'
    )
    row = '| digits | 4 | 20.0 | 9.0 | 1.0 | 2.0 | 5.0 | 3.0 | 0.500 |\n'
    assert row in tables.block(RECORD, 'search')


@pytest.fixture
def tree(tmp_path):
    """A checkout with a page and a record."""
    (tmp_path / 'docs' / 'records').mkdir(parents=True)
    page = '# Page\n\n<!-- benchmark:lenet -->\n<!-- /benchmark:lenet -->\n\n<!-- table:x -->\n'
    (tmp_path / 'docs' / 'performance.md').write_text(page)
    (tmp_path / tables.RECORD).write_text(json.dumps(RECORD))
    return tmp_path


def test_the_page_is_generated_from_the_record(tree):
    page = tree / 'docs' / 'performance.md'
    before = page.read_text()
    assert pages.update(tree, write=False) == ['docs/performance.md: benchmark:lenet']
    assert page.read_text() == before
    pages.update(tree, write=True)
    assert '| search path, masked | 1,600 [1,600, 1,600] |' in page.read_text()
    assert pages.update(tree, write=False) == []
    page.write_text(page.read_text().replace('1,600', '1,700'))
    assert pages.update(tree, write=False) == ['docs/performance.md: benchmark:lenet']


def test_without_a_record_the_page_says_so(tree):
    (tree / tables.RECORD).unlink()
    pages.update(tree, write=True)
    assert tables.NO_RECORD in (tree / 'docs' / 'performance.md').read_text()


@pytest.mark.parametrize('content', ['{', '[]', json.dumps({**RECORD, 'version': 2})])
def test_a_broken_record_is_an_error(tree, content):
    (tree / tables.RECORD).write_text(content)
    with pytest.raises(errors.LotteryError, match='benchmark.json'):
        pages.update(tree, write=False)


def test_an_unknown_table_is_an_error(tree):
    page = tree / 'docs' / 'performance.md'
    page.write_text(page.read_text().replace('benchmark:lenet', 'benchmark:lenett'))
    with pytest.raises(errors.LotteryError, match="received 'lenett'"):
        pages.update(tree, write=False)


# The command.


def test_every_contestant_can_be_made():
    for one in (*TRAINING, *EVALUATION):
        module, function = one.make.split(':')
        assert callable(getattr(importlib.import_module(f'tools.benchmarks.{module}'), function))


def test_references_come_along():
    names = [one.name for one in chosen(['tfmot', 'by_hand'], 'lenet')]
    assert names == ['fit', 'fit_held', 'tfmot', 'by_hand', 'ceiling']


# The command with a network that is small enough for a test.
COMMAND = f"""
from tools.benchmarks import command, networks
networks.NETWORKS['lenet'] = networks.{SMALL!r}
command.run()
"""


def benchmark(*arguments):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.run(
        [sys.executable, '-P', '-c', COMMAND, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_smoke_run(tmp_path):
    out = tmp_path / 'record.json'
    done = benchmark(
        *('--quick', '--contestants=fit_jit', '--parts=contest', '--seconds=0', f'--out={out}')
    )
    assert done.returncode == 0, done.stderr
    assert 'the ratios mean nothing' in done.stdout
    record = tables.load(out)
    (found,) = record['results']['contest']
    assert record['results']['smoke'] and found['steps'] == SMALL.check + 2 * SMALL.quantum
    assert list(found['contestants']) == ['fit', 'fit_jit']
    for one in found['contestants'].values():
        assert len(one['rates']) == 2 and one['refused'] == ''
        assert one['memory']['peak'] > one['memory']['base'] > 0
    assert found['contestants']['fit_jit']['difference'] > 0  # two paths, two roundings
    assert '| `fit`, 100 steps per execution, XLA |' in tables.block(record, 'lenet')


@pytest.mark.parametrize(
    'flag, why',
    [('--parts=contst', 'expected names among'), ('--rounds=0', 'rounds'), ('x', "'x'")],
)
def test_wrong_flags_are_one_line(flag, why):
    done = benchmark(flag)
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_contestant_that_cannot_be_built_is_named():
    worker = contest.Worker('broken', child.serve, child.Job('absent:absent', SMALL, '', 1))
    with pytest.raises(contest.Broken, match=r'broken: Module.*\.absent.$'):
        worker.ask('build')
    worker.close()


def test_a_contestant_that_dies_is_named():
    worker = contest.Worker('dead', child.prepare)  # too few arguments: it ends at once
    with pytest.raises(contest.Broken, match='dead: ended with status 1'):
        worker.receive()
    worker.close()
