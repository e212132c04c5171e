"""Data sets of the user's own: functions, and what is said when they return something else."""

import numpy as np
import pytest

from lth_keras import data
from lth_keras.data import Source
from lth_keras.errors import ConfigError, DataError

X = np.arange(40, dtype=np.float32).reshape(20, 2)
Y = np.arange(20) % 3

MODULE = """
import numpy as np
from lth_keras.data import Source

X = np.arange(40, dtype=np.float32).reshape(20, 2)
Y = np.arange(20) % 3
NUMBER = 3

def arrays():
    return (X, Y), (X[:5], Y[:5])

def source(data_dir):
    return Source(f'from {data_dir}', (X, Y), (X[:5], Y[:5]), 4, 6)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a new module that can be imported."""
    (tmp_path / 'my_data_of_tests.py').write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return 'my_data_of_tests'


def returning(value):
    return lambda: value


def test_arrays_by_name(module):
    found = data.load(f'{module}:arrays')
    assert [len(part[1]) for part in (found.train, found.validation, found.test)] == [18, 2, 5]
    assert found.name == f'{module}:arrays'
    assert (found.classes, found.input_shape) == (3, (2,))


def test_a_source_by_name_gets_what_it_asks_for(module):
    found = data.load(f'{module}:source', data_dir='/somewhere')
    assert found.name == 'from /somewhere'
    assert (len(found.validation[1]), found.classes) == (6, 4)
    assert len(data.load(f'{module}:source', validation=3).validation[1]) == 3


def test_a_function_itself():
    found = data.load(returning(((X, Y), (X, Y))), split_seed=4)
    again = data.load(returning(((X, Y), (X, Y))), split_seed=4)
    assert found.digest == again.digest
    assert found.digest != data.load(returning(((X, Y), (X, Y)))).digest


def test_the_name_of_a_function_holds_no_address():
    # It stands in results and errors, which are the same in every process.
    assert ' at 0x' not in data.load(returning(((X, Y), (X, Y)))).name


def test_plain_lists_will_do():
    given = ([[0.0], [1.0], [2.0]], [0, 1, 0])
    assert data.load(returning((given, given))).train[0].shape == (2, 1)


@pytest.mark.parametrize(
    ('name', 'why'),
    [
        ('no_such_module_of_tests:f', "No module named 'no_such_module_of_tests'"),
        ('{module}:nothing', "has no attribute 'nothing'"),
        ('{module}:', "has no attribute ''"),
        ('{module}.deeper:f', 'is not a package'),
    ],
)
def test_a_wrong_module_or_attribute_is_named(module, name, why):
    name = name.format(module=module)
    with pytest.raises(ConfigError) as raised:
        data.load(name)
    assert f'dataset {name!r}: expected package.module:function' in str(raised.value)
    assert why in str(raised.value)


def test_a_thing_that_is_no_function_is_refused_by_name(module):
    with pytest.raises(ConfigError, match=f'{module}:NUMBER'):
        data.load(f'{module}:NUMBER')


def test_a_mistyped_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown dataset 'mnsit': did you mean 'mnist'"):
        data.load('mnsit')


@pytest.mark.parametrize('value', [None, 3, (X, Y), ((X, Y),), ((X, Y),) * 3, ((X, Y, Y),) * 2])
def test_anything_else_that_is_returned_is_refused(value):
    with pytest.raises(DataError, match=r'expected \(\(train inputs, labels\), \(test inputs'):
        data.load(returning(value))


@pytest.mark.parametrize(
    ('labels', 'text'),
    [
        (np.eye(3, dtype=int)[Y], 'pass class indices, not one-hot'),
        (np.eye(3, dtype=np.float32)[Y], 'pass class indices, not one-hot'),
        (Y + 0.5, 'one whole number per example'),
        (np.where(Y == 1, np.nan, Y), 'one whole number per example'),
        (np.array(list('abcde' * 4)), 'one whole number per example'),
        (Y - 1, r'labels in .* received -1 to 1'),
        (Y[:7], '20 inputs and 7 labels'),
        (Y[:0], '20 inputs and 0 labels'),
        (np.full(20, None), 'one whole number per example'),
    ],
    ids=[
        'one-hot',
        'one-hot-floats',
        'floats',
        'nan',
        'text',
        'negative',
        'short',
        'none',
        'objects',
    ],
)
@pytest.mark.parametrize('place', ['train', 'test'])
def test_malformed_labels_of_the_users_arrays_are_a_clear_error(place, labels, text):
    parts = {'train': (X, Y), 'test': (X, Y), place: (X, labels)}
    with pytest.raises(DataError, match=text):
        data.load(returning((parts['train'], parts['test'])))


def test_an_error_of_the_users_function_is_not_hidden():
    def broken():
        raise ZeroDivisionError('mine')

    with pytest.raises(ZeroDivisionError, match='mine'):
        data.load(broken)


def test_a_source_is_not_trusted_either():
    given = Source('mine', (X, Y), (X, Y), 2, 4)
    with pytest.raises(
        DataError, match=r'mine \(train\): expected labels in \[0, 1\], received 0 to 2'
    ):
        data.load(returning(given))
