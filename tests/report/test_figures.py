"""Every figure of the registry sits one exam: drawn or excused, nothing clipped, the same bytes."""

import dataclasses
import json

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lth_keras.report import reading, style
from lth_keras.report.comparing import lines
from lth_keras.report.figures import FIGURES, ReportFigure
from lth_keras.report.figures.runs import figures as run_figures
from tests.report.conftest import make_rows
from tests.report.stored import write_run

LONG = {'random_mask': [2, 4], 'random_mask_global': [2], 'shuffled_mask': [2], 'small_dense': [2]}
CASES = {
    'usual': {'replicates': 3, 'rounds': 4, 'controls': {'reinit': [2, 4]}},
    'one replicate': {'replicates': 1, 'rounds': 4, 'controls': {'reinit': [2]}},
    'dense only': {'replicates': 2, 'rounds': 0},
    'one round': {'replicates': 2, 'rounds': 1},
    'many rounds': {'replicates': 2, 'rounds': 25, 'size': 10**9, 'controls': {'reinit': [25]}},
    'many controls': {'replicates': 2, 'rounds': 4, 'controls': {'reinit': [2, 4], **LONG}},
}


def analyses(rows):
    """Tables as `tools/analyse` writes them, for the tickets of these rows."""
    tickets = [r for r in rows if r['variant'] == 'ticket']
    tables = {'weights_histograms': [], 'overlap_replicates': [], 'inputs': []}
    for row in tickets:
        place = {key: row[key] for key in ('replicate', 'round', 'density')}
        for i in range(6):
            counts = {
                f'{m}_{k}': [1, 4, 1]
                for m in ('initial', 'dense_final')
                for k in ('survivors', 'pruned')
            }
            more = {'kernel': f'block_{i}/conv/kernel', 'edges': [-1.0, -0.3, 0.3, 1.0]}
            tables['weights_histograms'].append(
                {**place, **more, **counts, 'ticket_final': [2, 1, 2]}
            )
        image = [[i * j % 5 for i in range(8)] for j in range(8)]
        kept = {'kept': image, 'units': 10, 'kernel_density': 0.5, 'what': 'input'}
        count = {'elements': 64, 'unseen': 3, 'kernel': 'dense/kernel'}
        tables['inputs'].append({**place, **kept, **count})
        for kernel in ('all', *(f'block_{i}/conv/kernel' for i in range(6))):
            overlap = {'jaccard': 0.4, 'expected_jaccard': 0.3, 'first': 0, 'second': 1}
            tables['overlap_replicates'].append({**place, 'kernel': kernel, **overlap})
    names = {'weights': 'weights_histograms', 'overlap': 'overlap_replicates', 'inputs': 'inputs'}
    return {n: {'notes': [], 'tables': {t: tables[t]}} for n, t in names.items()}


@pytest.fixture(scope='module')
def books(tmp_path_factory):
    found = {}
    for number, (name, options) in enumerate(CASES.items()):
        rows = make_rows(**options)
        for i, row in enumerate(rows):
            row['stage'] = f'train-{i:016x}'
        run = write_run(tmp_path_factory.mktemp(f'w{number}'), rows, evaluations=8, test=True)
        (run / 'analysis').mkdir()
        (run / 'analysis' / 'analysis.json').write_text(json.dumps({'analyses': analyses(rows)}))
        found[name] = reading.read(run)
        assert not found[name].problems
    return found


def clipped(figure):
    """The texts of a drawn figure that stick out of it, or lie upon each other."""
    figure.canvas.draw()
    canvas, wrong = figure.bbox, []
    boxes = []
    for axes in figure.axes:
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        ticks = []
        # Ticks beyond the limits are not drawn, wherever they would be.
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted((low, high))
            pairs = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            ticks.append([t for at, t in pairs if low <= at <= high and t.get_text()])
        texts += [*ticks[0], *ticks[1]]
        boxes += [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text()]
        across = [t.get_window_extent() for t in ticks[0]]
        wrong += [
            'x labels touch' for a, b in zip(across, across[1:], strict=False) if a.x1 >= b.x0
        ]
    for legend in figure.legends:
        boxes += [(t.get_text(), t.get_window_extent()) for t in legend.get_texts()]
        frame = legend.get_window_extent()
        wrong += ['legend on a panel' for a in figure.axes if frame.overlaps(a.get_window_extent())]
    for text, box in boxes:
        wide = box.x0 >= -1 and box.x1 <= canvas.x1 + 1
        if not (wide and box.y0 >= -1 and box.y1 <= canvas.y1 + 1):
            wrong.append(text)
    return wrong


def drawn(kind):
    with style.settings():
        layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
        figure = Figure(figsize=kind.size, dpi=style.DPI, layout=layout)
        FigureCanvasAgg(figure)
        kind.draw(figure)
        return clipped(figure)


@pytest.mark.parametrize('name', FIGURES)
@pytest.mark.parametrize('case', CASES)
def test_drawn_whole_or_excused(books, name, case):
    kind = FIGURES.get(name)(books[case])
    if kind.missing:
        assert len(kind.missing) > 10 and not kind.missing.endswith('.')
        return
    assert drawn(kind) == []
    assert kind.caption.endswith('.') and kind.title and FIGURES.summary(name)


def test_every_figure_is_drawn_in_the_usual_case(books):
    assert [n for n in FIGURES if FIGURES.get(n)(books['usual']).missing] == []


def test_one_replicate_shows_no_interval(books):
    for name in FIGURES:
        kind = FIGURES.get(name)(books['one replicate'])
        if not kind.missing:
            assert '95%' not in kind.caption, name


class Clipped(ReportFigure):
    """A label that does not fit."""

    name, title, caption = 'clipped', 'Clipped', 'A figure.'

    def draw(self, figure):
        axes = figure.subplots()
        text = axes.text(0.9, 0.5, 'far too long for the place it stands at, beyond any doubt')
        text.set_in_layout(False)
        axes.set_xticks([0.5, 0.501], ['a label', 'another'])
        figure.legend(*axes.get_legend_handles_labels(), loc='center', title='on top')


def test_the_exam_can_be_failed(books):
    wrong = drawn(Clipped(books['usual']))
    assert any('far too long' in text for text in wrong) and 'x labels touch' in wrong
    assert 'legend on a panel' in wrong


def test_the_same_bytes_again(books):
    kind = FIGURES.get('accuracy')(books['usual'])
    first, second = (style.draw(kind.draw, kind.size) for _ in range(2))
    assert first == second
    assert 'Matplotlib' not in first.svg and 'dc:date' not in first.svg


def test_what_is_drawn_is_in_its_table(books):
    gap = FIGURES.get('gap')(books['usual'])
    at = {(p['round'], p['variant'], p['moment']): p for p in gap.table}
    row = books['usual'].rows_of(0)[0]
    curve = books['usual'].curves.of(row['stage'])
    gaps = []
    for r in books['usual'].rows_of(0):
        c = books['usual'].curves.of(r['stage'])
        gaps.append(100 * (c['train_accuracy'][-1] - r['final_test_accuracy']))
    assert at[0, 'ticket', 'end of training']['gap_pp'] == pytest.approx(sum(gaps) / 3)
    assert curve['step'][-1] == 12000
    layers = FIGURES.get('layers')(books['usual']).table
    assert [r['layer_density_mean'] for r in layers if r['round'] == 0] == [1.0]


def test_pictures_of_several_runs_are_whole(books):
    several = lines(list(books.values())[:2] * 4)
    for kind in run_figures(several):
        assert drawn(kind) == []
        assert kind.caption


def test_published_points_stand_beside_their_network_only(books):
    (gain, speedup) = run_figures(lines([books['usual']]))
    assert {p.density for p in gain.points} == {0.1352, 0.0358}
    assert [round(p.value, 2) for p in speedup.points] == [1.61]
    assert 'Stars: Frankle & Carbin 2019 (13.5%: more than' in gain.caption
    assert [row['value'] for row in gain.table] == [0.3, 0.0]


def test_no_stars_among_several_networks(books):
    other = dataclasses.replace(books['usual'], record={'configuration': {'model': 'mlp'}})
    assert all(not kind.points for kind in run_figures(lines([books['usual'], other])))


def bars(kind, number=0):
    """(mean, low, high) of each point of a line with error bars, as drawn."""
    figure = Figure(figsize=kind.size)
    kind.draw(figure)
    container = figure.axes[0].containers[number]
    segments = container[2][0].get_segments()
    means = container[0].get_ydata()
    return [(m, s[0][1], s[1][1]) for m, s in zip(means, segments, strict=True)]


def test_the_bars_of_ratios_end_where_their_intervals_do(books):
    (_, speedup) = run_figures(lines([books['usual']]))
    found = [c for c in books['usual'].comparisons if c.against == 'dense']
    found.sort(key=lambda c: -c.density)
    for drawn, comparison in zip(bars(speedup), found, strict=True):
        assert drawn == pytest.approx(tuple(comparison.sooner))
        low, high = comparison.sooner.mean - drawn[1], drawn[2] - comparison.sooner.mean
        assert low < high  # as the ratios are; symmetric bars would not be


def test_every_variant_has_a_colour_of_its_own(books):
    book = books['many controls']
    figure = Figure()
    FIGURES.get('accuracy')(book).draw(figure)
    colours = [c[0].get_color() for c in figure.axes[0].containers]
    assert len(colours) == 6 == len(set(colours))
    assert len(set(style.COLOURS)) == len(style.COLOURS) == len(style.MARKERS)


def test_bars_of_times_stand_in_the_order_that_the_caption_names(books):
    kind = FIGURES.get('times')(books['many controls'])
    figure = Figure()
    kind.draw(figure)
    assert ', '.join(books['many controls'].variants) in kind.caption


def test_draws_of_a_control_are_one_replicate(tmp_path):
    rows = make_rows(replicates=2, rounds=1, controls={'reinit': [1]}, draws=3)
    for i, row in enumerate(rows):
        row['stage'] = f'train-{i:016x}'
    book = reading.read(write_run(tmp_path, rows, evaluations=6))
    kind = FIGURES.get('validation_loss')(book)
    assert {c.replicates for *_, c in kind.bands} == {2}
    assert 'over 2 replicates' in kind.caption
    gaps = {p['variant']: p['replicates'] for p in FIGURES.get('gap')(book).table if p['round']}
    assert gaps == {'ticket': 2, 'reinit': 2}
