"""The import-direction check finds what it should, and finds nothing in this repository."""

from pathlib import Path

import pytest

from tools import layers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """Writes {path: source} below a folder; returns the violations as text."""

    def check(files):
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return [str(violation) for violation in layers.check(tmp_path)]

    return check


def test_downward_and_sideways_imports_pass(tree):
    assert not tree(
        {
            'lth_keras/errors.py': '',
            'lth_keras/mask.py': 'import numpy\nfrom lth_keras import errors\n',
            'lth_keras/allocation.py': 'from lth_keras.mask import Mask\n',
            'lth_keras/criteria/snip.py': 'from lth_keras import allocation\nfrom . import base\n',
            'lth_keras/criteria/base.py': '',
            'lth_keras/training.py': 'import tensorflow as tf\nimport lth_keras._compat\n',
            'lth_keras/_compat.py': 'import keras\nimport tensorflow_model_optimization\n',
            'experiments/lottery.py': 'from absl import app, flags\nimport lth_keras as lth\n',
        }
    )


@pytest.mark.parametrize(
    'source',
    [
        'from lth_keras import rounds',
        'import lth_keras.rounds',
        'from lth_keras.rounds import run',
        'from .rounds import run',
        'from . import rounds',
        'def f():\n    from lth_keras import rounds',
        'if TYPE_CHECKING:\n    from lth_keras import rounds',
        'import importlib\nimportlib.import_module("lth_keras.rounds")',
    ],
)
def test_upward_import_is_named_with_its_place(tree, source):
    found = tree({'lth_keras/rounds.py': '', 'lth_keras/mask.py': source})
    line = 1 + source.count('\n')
    assert found == [
        f'lth_keras/mask.py:{line}: imports lth_keras.rounds (run) from words: imports go down only'
    ]


def test_run_may_not_import_use(tree):
    found = tree(
        {'lth_keras/report/table.py': '', 'lth_keras/rounds.py': 'import lth_keras.report.table'}
    )
    assert found == [
        'lth_keras/rounds.py:1: imports lth_keras.report.table (use) from run: imports go down only'
    ]


def test_facade_is_above_the_package_and_below_the_experiments(tree):
    found = tree(
        {
            'lth_keras/__init__.py': (
                'from lth_keras import exporting\nimport experiments.lottery\n'
            ),
            'lth_keras/exporting.py': 'import lth_keras\n',
            'experiments/lottery.py': '',
        }
    )
    assert len(found) == 3
    assert found[0].startswith(
        'lth_keras/__init__.py:1: import cycle: lth_keras -> lth_keras.exporting'
    )
    assert 'lth_keras/__init__.py:2: imports experiments.lottery (drive)' in found[1]
    assert 'lth_keras/exporting.py:1: imports lth_keras (facade)' in found[2]


def test_module_without_a_layer_is_an_error(tree):
    assert tree({'lth_keras/helpers.py': ''}) == [
        'lth_keras/helpers.py:1: lth_keras.helpers is in no layer: '
        'add it to LAYERS in tools/layers.py'
    ]


@pytest.mark.parametrize(
    'source',
    [
        'import tf_keras',
        'from tf_keras.layers import Dense',
        'import keras',
        'from tensorflow import keras',
        'import tensorflow.keras.layers',
        'import tensorflow as tf; tf.keras.Model',
        'import tensorflow_model_optimization as tfmot',
        '__import__("tf_keras")',
    ],
)
@pytest.mark.parametrize('module', ['lth_keras/training.py', 'experiments/lottery.py'])
def test_keras_comes_from_compat_alone(tree, module, source):
    found = tree({module: source})
    assert len(found) == 1
    assert 'only lth_keras._compat may, import it from there' in found[0]


@pytest.mark.parametrize('source', ['import tensorflow as tf', 'from lth_keras import _compat'])
@pytest.mark.parametrize('module', ['lth_keras/mask.py', 'lth_keras/criteria/snip.py'])
def test_words_and_decisions_are_free_of_tensorflow(tree, module, source):
    found = tree({'lth_keras/_compat.py': '', module: source})
    assert len(found) == 1
    assert 'works on arrays alone' in found[0]


@pytest.mark.parametrize('source', ['from absl import flags', 'from absl.flags import FLAGS'])
def test_flags_are_read_in_experiments_alone(tree, source):
    assert tree({'lth_keras/rounds.py': source}) == [
        'lth_keras/rounds.py:1: imports absl.flags: flags are read in experiments/ alone'
    ]


def test_absl_logging_is_no_flag(tree):
    assert not tree({'lth_keras/rounds.py': 'from absl import logging'})


def test_tests_and_tools_are_not_imported(tree):
    found = tree(
        {'lth_keras/rounds.py': 'import tests.helpers', 'experiments/lottery.py': 'import tools.x'}
    )
    assert [text.split(': ', 1)[1] for text in found] == [
        'imports tools: it is not part of what runs',
        'imports tests: it is not part of what runs',
    ]


def test_cycle_is_shown_whole_and_once(tree):
    found = tree(
        {
            'lth_keras/rewind.py': 'from lth_keras import training',
            'lth_keras/ticket.py': 'from lth_keras import rewind',
            'lth_keras/training.py': 'import os\nfrom lth_keras.ticket import Ticket',
        }
    )
    assert found == [
        'lth_keras/rewind.py:1: import cycle: '
        'lth_keras.rewind -> lth_keras.training -> lth_keras.ticket -> lth_keras.rewind'
    ]


def test_cycle_through_a_package_is_found(tree):
    found = tree(
        {
            'lth_keras/criteria/__init__.py': 'from lth_keras.criteria import snip',
            'lth_keras/criteria/snip.py': 'from lth_keras.criteria import CRITERIA',
        }
    )
    assert len(found) == 1
    assert 'lth_keras.criteria -> lth_keras.criteria.snip -> lth_keras.criteria' in found[0]


def test_imports_for_the_type_checker_make_no_cycle(tree):
    assert not tree(
        {
            'lth_keras/rewind.py': 'from lth_keras import ticket',
            'lth_keras/ticket.py': 'if typing.TYPE_CHECKING:\n    from lth_keras import rewind',
        }
    )


def test_each_name_is_in_one_layer():
    names = [name for layer in layers.LAYERS.values() for name in layer]
    assert len(names) == len(set(names))


def test_this_repository():
    assert not [str(violation) for violation in layers.check(ROOT)]
