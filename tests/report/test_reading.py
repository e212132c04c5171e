"""A run is read as far as it can be, and what cannot is said."""

import fcntl
import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lth_keras import errors
from lth_keras.report import comparing, making, page, reading
from lth_keras.report.figures import FIGURES
from tests.report.conftest import make_rows
from tests.report.stored import write_run

RECORDS = Path(__file__).resolve().parents[2] / 'docs' / 'records'


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path, make_rows(rounds=2, controls={'reinit': [1, 2]}))


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_run(run):
    book = reading.read(run)
    assert (len(book.rows), book.problems, book.state) == (15, [], 'finished')
    assert len(book.timings) == 15 and book.timings[0].parts == {'steps': 2.0, 'evaluation': 0.5}
    assert book.curves.of(book.rows[0]['stage'])['step'][-1] == 12000
    assert book.variants == ['ticket', 'reinit'] and book.replicates == [0, 1, 2]


@pytest.mark.parametrize(
    'path', sorted(RECORDS.glob('*/records.json')), ids=lambda p: p.parent.name
)
def test_every_committed_record_of_every_version_is_read(path):
    book = reading.read(path)
    assert book.rows and not book.problems and book.summaries and book.comparisons is not None


def test_nothing_of_that_kind(tmp_path):
    with pytest.raises(errors.StoreError, match=r'expected the directory of a run'):
        reading.read(tmp_path)


def test_a_newer_version_is_refused(run):
    edit(run / 'records.json', version=2)
    with pytest.raises(errors.StoreError, match='upgrade lth_keras'):
        reading.read(run)


def test_a_run_without_a_training_yet(run):
    (run / 'records.json').unlink()
    book = reading.read(run)
    assert book.rows == [] and book.settings['model'] == 'lenet_300_100'
    assert book.problems == ['no training has finished']


@pytest.mark.parametrize('name', ['records.json', 'timings.json', 'provenance.json', 'run.json'])
@pytest.mark.parametrize('content', [b'', b'{"rows": [', b'[]', b'\xff\xfe', b'{"rows": 3}'])
def test_broken_files_are_said_and_the_rest_is_used(run, name, content):
    (run / name).write_bytes(content)
    book = reading.read(run)
    if name == 'records.json':
        assert book.rows == [] and book.problems
    else:
        assert len(book.rows) == 15
    if content != b'{"rows": 3}':
        assert any(name.removesuffix('.json') in text for text in book.problems)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'test_accuracy': math.nan}, 'finite test_accuracy'),
        ({'validation_loss': math.inf}, 'finite validation_loss'),
        ({'early_stop_step': None}, 'early_stop_step'),
        ({'test_accuracy': 98.1}, r'in \[0, 1\]'),
        ({'density': 'half'}, 'density'),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_by_name(run, change, said):
    record = json.loads((run / 'records.json').read_text())
    record['rows'][3] |= change
    (run / 'records.json').write_text(json.dumps(record))
    book = reading.read(run)
    assert len(book.rows) == 14 and book.summaries
    (left_out,) = [text for text in book.problems if 'left out' in text]
    assert 'row 4' in left_out and re.search(said, left_out)
    assert any('checksum' in text for text in book.problems)


ODD = [None, 'x', -1, math.nan, [], {}, {'a': None}, [[1]], True, 1e400]


@pytest.mark.parametrize('value', ODD, ids=repr)
def test_no_field_of_a_row_stops_a_report(run, value):
    record = json.loads((run / 'records.json').read_text())
    for name in sorted({key for row in record['rows'] for key in row}):
        rows = [{**row, name: value} if i == 3 else row for i, row in enumerate(record['rows'])]
        (run / 'records.json').write_text(json.dumps({**record, 'rows': rows}))
        book = reading.read(run)
        assert len(book.rows) in (14, 15)
        assert page.render([page.Chapter(comparing.lines([book])[0], [])])
        for kind in (FIGURES.get(name)(book) for name in ('layers', 'times', 'gap')):
            assert isinstance(kind.missing, str)


@pytest.mark.parametrize('value', ODD, ids=repr)
@pytest.mark.parametrize('name', ['configuration', 'identity', 'commits', 'command', 'checksum'])
def test_no_field_of_the_records_stops_a_report(run, name, value):
    edit(run / 'records.json', **{name: value})
    book = reading.read(run)
    assert page.render([page.Chapter(comparing.lines([book])[0], [])])


@pytest.mark.parametrize('value', ODD, ids=repr)
def test_a_margin_that_is_no_number_is_said(run, value):
    record = json.loads((run / 'records.json').read_text())
    edit(run / 'records.json', configuration={**record['configuration'], 'margin': value})
    book = reading.read(run)
    assert book.margin == 0.005 and any('margin' in text for text in book.problems)


def test_an_analysis_of_another_form_costs_its_own_figures_only(run):
    (run / 'analysis').mkdir()
    tables = {'weights': {'tables': {'weights_histograms': [{'round': 1}]}}, 'overlap': 3}
    (run / 'analysis' / 'analysis.json').write_text(json.dumps({'analyses': tables}))
    files = making.files([reading.read(run)])
    assert 'figures/accuracy.png' in files and 'figures/distributions.png' not in files
    assert 'cannot be drawn (KeyError' in files[making.PAGE]
    assert 'overlap has another form' in files[making.PAGE]


def test_a_training_twice_counts_once(run):
    record = json.loads((run / 'records.json').read_text())
    edit(run / 'records.json', rows=[*record['rows'], record['rows'][0], 'x', None])
    book = reading.read(run)
    assert len(book.rows) == 15
    assert sum('left out' in text for text in book.problems) == 3


def test_a_run_that_is_worked_on(run):
    edit(run / 'provenance.json', outcome='running', planned=99)
    assert reading.read(run).state == 'killed'
    lock = os.open(run / 'lock', os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    book = reading.read(run)
    assert (book.state, book.planned) == ('running', 99)
    os.close(lock)
    assert reading.read(run).state == 'killed'
    # Reading has left the lock free.
    again = os.open(run / 'lock', os.O_RDWR)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)


def test_a_run_that_failed(run):
    edit(run / 'provenance.json', outcome='failed: training diverged')
    assert reading.read(run).state == 'failed: training diverged'


def test_an_older_run_says_nothing_of_its_state(run):
    (run / 'provenance.json').write_text('{"arguments": []}')
    assert reading.read(run).state == ''


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_content_of_the_side_files_stops_a_report(tmp_path_factory, value):
    run = tmp_path_factory.mktemp('any') / 'tickets-0123456789'
    run.parent.mkdir(exist_ok=True)
    run = write_run(run.parent, make_rows(replicates=1, rounds=1), evaluations=2)
    for name in ('timings.json', 'provenance.json'):
        (run / name).write_text(json.dumps(value))
    (run / 'analysis').mkdir()
    (run / 'analysis' / 'analysis.json').write_text(json.dumps(value))
    assert len(reading.read(run).rows) == 2
