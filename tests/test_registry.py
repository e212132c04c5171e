"""The table of named things: lookup, the user's own functions, and help that follows from it."""

import pytest

from lth_keras.errors import ConfigError
from lth_keras.registry import Registry


def large(x):
    """Keeps the large ones.

    More about it.
    """
    return x


def small_entry():
    """Keeps the small ones."""


small_entry.name = 'small'


@pytest.fixture
def table():
    return Registry('criterion', [large, small_entry])


def test_names_come_from_the_entries_in_the_given_order(table):
    assert list(table) == ['large', 'small']
    assert len(table) == 2
    assert table['small'] is table.get('small') is small_entry
    assert 'large' in table
    assert 'medium' not in table


def test_summary_is_the_first_line_of_the_docstring(table):
    assert table.summary('large') == 'Keeps the large ones.'
    assert Registry('thing', [lambda: None]).summary('<lambda>') == ''


def test_unknown_name_is_an_error_with_kind_and_nearest(table):
    with pytest.raises(ConfigError, match=r"unknown criterion 'lareg': did you mean 'large'\?"):
        table.get('lareg')
    with pytest.raises(ConfigError, match=r'unknown criterion None: known: large, small\.'):
        table.get(None)


def test_a_default_does_not_silence_an_unknown_name(table):
    # Mapping.get would return it.
    with pytest.raises(ConfigError, match='lareg'):
        table.get('lareg', large)


def test_a_callable_is_its_own_entry(table):
    own = lambda x: x  # noqa: E731
    assert table.get(own) is own
    assert table.resolve(own) is own


def test_the_table_cannot_be_changed(table):
    with pytest.raises(TypeError):
        table['large'] = small_entry
    with pytest.raises(TypeError):
        del table['large']


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(ValueError, match='share a name'):
        Registry('criterion', [large, large])


def test_resolve_finds_names_and_functions(table, tmp_path, monkeypatch):
    (tmp_path / 'my_things.py').write_text('def mine(): return 7\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert table.resolve('small') is small_entry
    assert table.resolve('my_things:mine')() == 7


@pytest.mark.parametrize(
    ('name', 'why'),
    [
        ('no_such_module:f', "No module named 'no_such_module'"),
        ('math:no_such_function', "has no attribute 'no_such_function'"),
        ('math:', "has no attribute ''"),
        ('os.path.nothing:f', 'No module named'),
    ],
)
def test_wrong_module_or_attribute_names_both_and_what_to_do(table, name, why):
    with pytest.raises(ConfigError) as raised:
        table.resolve(name)
    text = str(raised.value)
    assert f'criterion {name!r}: expected package.module:function' in text
    assert why in text
    assert ('PYTHONPATH' in text) == ('No module' in why)


@pytest.mark.parametrize('name', [':f', '.relative:f', 'math:pi', ':'])
def test_what_cannot_be_a_function_is_refused_by_name(table, name):
    with pytest.raises(ConfigError, match='expected package.module:function'):
        table.resolve(name)
