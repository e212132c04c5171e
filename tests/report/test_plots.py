"""The plots: valid, deterministic files, labels that do not touch, and no global state."""

import math
import struct

import matplotlib
import pytest

from lth_keras import errors
from lth_keras.report import plots, summarise, write_report
from lth_keras.report.axes import label_positions


def chunks(png):
    """The names of a PNG file's chunks."""
    assert png[:8] == b'\x89PNG\r\n\x1a\n'
    position, names = 8, []
    while position < len(png):
        length, name = struct.unpack('>I4s', png[position : position + 8])
        names.append(name)
        position += 12 + length
    return names


CASES = {
    'one replicate': {'replicates': 1, 'controls': {'reinit': [3, 7]}},
    'one round': {'rounds': 1, 'controls': {'reinit': [1]}},
    'dense only': {'rounds': 0},
    'many': {'rounds': 25, 'controls': {'reinit': [5, 25], 'random_mask': range(1, 26)}},
    'two replicates': {'replicates': 2, 'rounds': 3},
}


@pytest.mark.parametrize('case', CASES)
def test_every_case_is_drawn(make_rows, case):
    files = plots.plot_files(summarise(make_rows(**CASES[case]), 0.005))
    assert sorted(files) == ['accuracy.png', 'early_stop.png', 'result.png']
    for content in files.values():
        assert chunks(content)[-1] == b'IEND'


def test_bytes_are_deterministic_and_hold_no_provenance(rows):
    summaries = summarise(rows, 0.005)
    first = plots.plot_files(summaries)
    with matplotlib.rc_context({'font.size': 20, 'axes.facecolor': 'red'}):
        assert plots.plot_files(summaries) == first
        assert matplotlib.rcParams['font.size'] == 20
    assert not {b'tEXt', b'iTXt', b'tIME'} & set(chunks(first['accuracy.png']))
    assert len(set(first.values())) == 3


def test_nothing_to_plot():
    with pytest.raises(errors.LotteryError, match='at least one'):
        plots.plot_files([])


@pytest.fixture
def drawn(monkeypatch):
    """Keeps each figure that `render` draws."""
    figures = []

    class Kept(plots.Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            figures.append(self)

    monkeypatch.setattr(plots, 'Figure', Kept)
    return figures


@pytest.mark.parametrize('rounds', [0, 1, 2, 5, 10, 25, 40])
@pytest.mark.parametrize('rate', [0.1, 0.2, 0.5])
def test_tick_labels_never_touch_and_nothing_is_clipped(make_rows, drawn, rounds, rate):
    rows = make_rows(replicates=2, rounds=rounds, rate=rate, controls={'reinit': [3]}, size=10**9)
    summaries = summarise(rows, 0.005)
    plots.result_png(summaries)
    (figure,) = drawn
    canvas = figure.bbox
    for axes in figure.axes:
        boxes = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        assert boxes and all(a.x1 + 4 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label):
            box = text.get_window_extent()
            assert box.x0 >= canvas.x0 and box.x1 <= canvas.x1 and box.y0 >= canvas.y0
        assert axes.get_xlim()[0] > axes.get_xlim()[1]
        densities = {s.density for s in summaries}
        ticks = {*axes.get_xticks(), *axes.get_xticks(minor=True)}
        assert ticks == densities
    for text in figure.legends[0].get_texts():
        box = text.get_window_extent()
        assert box.x0 >= canvas.x0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1


def test_content(rows, drawn):
    plots.result_png(summarise(rows, 0.005))
    (figure,) = drawn
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ['ticket', 'reinit', 'dense network (mean)']
    assert '95% t-interval' in figure.get_supxlabel()
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()][0] == '100%'
    ticket, reinit = axes.containers
    assert len(ticket[0].get_xdata()) == 11 and len(reinit[0].get_xdata()) == 3
    # The control stands beside the ticket, by less than a tenth of the gap between two rounds.
    shift = math.log(reinit[0].get_xdata()[0] / ticket[0].get_xdata()[3])
    assert 0 < abs(shift) < 0.1 * math.log(1 / 0.8)


def test_one_replicate_is_said(make_rows, drawn):
    plots.render(summarise(make_rows(replicates=1), 0.005), [plots.accuracy_panel])
    assert drawn[0].get_supxlabel() == 'one replicate: no confidence interval'


def test_uneven_densities_are_labelled():
    found = label_positions([1.0, 0.99, 0.98, 0.5, 0.1, 0.01], gap=0.15)
    assert found == [1.0, 0.5, 0.1, 0.01]
    assert label_positions([1.0, 0.95], gap=0.15) == [1.0]


def test_write_report(rows):
    written = {}
    files = write_report(iter(rows), 0.005, written.__setitem__)
    assert files == written == write_report(rows, 0.005)
    assert {name: type(content) for name, content in files.items()} == {
        'accuracy.png': bytes,
        'early_stop.png': bytes,
        'result.png': bytes,
        'table.txt': str,
        'summary.csv': str,
        'trainings.csv': str,
    }
