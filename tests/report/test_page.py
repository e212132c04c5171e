"""The page: well-formed, self-contained, escaped, and honest about what is missing."""

import dataclasses
import html.parser
import json
import pathlib
import re

import pytest

from lth_keras.report import making, reading, vector
from lth_keras.report.headline import headline
from tests.report.conftest import make_rows
from tests.report.stored import write_run

VOID = {'meta', 'br', 'img', 'link', 'input', 'hr'}
NASTY = '<script>alert("x")</script>&\'"`{{7*7}}'


class Checker(html.parser.HTMLParser):
    """Collects what is wrong with a page, and its visible text."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.text, self.identifiers = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ('script', 'iframe', 'object', 'base', 'link') or any(
            name.startswith('on') for name in attrs
        ):
            self.wrong.append(f'{tag} {attrs}')
        for name in ('src', 'href', 'xlink:href'):
            if attrs.get(name) and not attrs[name].startswith(('#', 'data:image/png;base64,')):
                self.wrong.append(f'{name}={attrs[name]:.60}')
        if 'id' in attrs:
            if attrs['id'] in self.identifiers:
                self.wrong.append(f'id twice: {attrs["id"]}')
            self.identifiers.add(attrs['id'])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f'</{tag}> closes another')

    def handle_data(self, data):
        if not {'style', 'svg'} & set(self.open):
            self.text.append(data)


def check(page):
    found = Checker()
    found.feed(page)
    assert found.wrong == [] and found.open == []
    # A browser is told the same: nothing from elsewhere, no scripts.
    assert "default-src 'none'" in page and '<meta name="viewport"' in page
    assert not re.search(r'url\((?!#)', page)
    return ' '.join(' '.join(found.text).split())


@pytest.fixture
def run(tmp_path):
    rows = make_rows(rounds=3, controls={'reinit': [2, 3]})
    for i, row in enumerate(rows):
        row['stage'] = f'train-{i:016x}'
    return write_run(tmp_path, rows, evaluations=5)


def page_of(*books, **options):
    return making.files(list(books), **options)[making.PAGE]


def test_a_whole_run(run):
    text = check(page_of(reading.read(run)))
    assert 'A winning ticket: 51.2% of the prunable weights (round 3)' in text
    assert 'smallest winning density 51.2%' in text and 'paired by replicate' in text
    assert 'tools/lottery --model=lenet_300_100' in text and 'fingerprint 0123456789' in text
    assert 'What is missing' not in text


def test_several_runs(run, tmp_path):
    other = write_run(
        tmp_path, make_rows(rounds=2), 'other-aaaaaaaaaa', 5, settings={'criterion': 'random'}
    )
    files = making.files([reading.read(run), reading.read(other)])
    text = check(files[making.PAGE])
    assert 'Side by side' in text and 'criterion' in text
    assert 'tables/runs.csv' in files and 'figures/runs_accuracy.svg' in files
    assert len({name.split('/')[1] for name in files if name.count('/') == 2}) == 2


def test_text_of_users_does_nothing(run):
    book = reading.read(run)
    rows = [{**r, 'layers': {NASTY: {'kept': 1, 'size': 2}}} for r in book.rows]
    rows = [{**r, 'variant': NASTY if r['variant'] == 'reinit' else 'ticket'} for r in rows]
    record = {
        'configuration': {'model': NASTY, 'dataset': NASTY, NASTY: NASTY, 'fingerprint': NASTY},
        'command': NASTY,
        'note': NASTY,
        'identity': {'device': NASTY, 'versions': {NASTY: NASTY}},
    }
    nasty = dataclasses.replace(
        book, name=NASTY, rows=rows, record=record, problems=[NASTY], state=f'failed: {NASTY}'
    )
    for page in (page_of(nasty, title=NASTY), page_of(nasty, dataclasses.replace(nasty))):
        text = check(page)
        assert NASTY in text and '<script>' not in page and '{{7*7}}' in text


def test_one_replicate_claims_no_interval(tmp_path):
    run = write_run(tmp_path, make_rows(replicates=1, rounds=2, controls={'reinit': [2]}))
    text = check(page_of(reading.read(run)))
    assert 'One replicate has no confidence interval' in text and 'there are no intervals' in text
    shown = text[: text.index('How to read this')]
    assert '±' not in shown and not re.search(r'\[[-+]?\d', shown)
    assert 'winning ticket yet' in text


def test_what_is_missing_is_said(run):
    record = json.loads((run / 'records.json').read_text())
    rows = [r for r in record['rows'] if (r['round'], r['replicate']) != (3, 1)]
    rows[0]['validation_loss'] = float('nan')
    (run / 'records.json').write_text(json.dumps({**record, 'rows': rows}))
    (run / 'provenance.json').write_text(json.dumps({'outcome': 'failed: diverged', 'planned': 18}))
    (run.parent / 'stages' / rows[5]['stage'] / 'curve.csv').write_text('changed')
    text = check(page_of(reading.read(run)))
    assert 'What is missing' in text and 'failed: diverged' in text
    assert 'row 1 is left out: expected a finite validation_loss' in text
    assert '15 of 18 planned trainings' in text and 'missing replicate 1' in text
    assert 'curve of' in text


@pytest.mark.parametrize('rows', [[], make_rows(rounds=0), make_rows(rounds=2)[3:]])
def test_runs_of_which_there_is_little(tmp_path, rows):
    run = write_run(tmp_path, rows)
    text = check(page_of(reading.read(run)))
    assert 'What was run' in text
    assert headline(reading.read(run)).answer in text


def test_a_page_that_is_watched_loads_itself_anew(run):
    assert '<meta http-equiv="refresh" content="7">' in page_of(reading.read(run), refresh=7)
    assert 'http-equiv="refresh"' not in page_of(reading.read(run))


def contrast(one, other):
    """WCAG's contrast ratio of two colours, 1 to 21."""

    def light(colour):
        parts = [int(colour.lstrip('#')[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_every_figure_can_be_seen_on_a_dark_page(run):
    files = making.files([reading.read(run)])
    colours = set()
    for name, svg in files.items():
        if name.endswith('.svg'):
            colours |= vector.inline(svg, 'x-', 'y')[1]
    ground = vector.dark('ffffff')
    faint = {'ffffff', 'e6e6e6', 'e5e5e5'}  # the ground itself, and grid lines
    assert len(colours) > 5
    for colour in colours - faint:
        assert contrast(vector.dark(colour), ground) >= 3, colour


def test_the_text_of_the_page_can_be_read_in_both_themes():
    css = (pathlib.Path(making.__file__).parent / 'page.css').read_text()
    themes = [dict(re.findall(r'--(\w+):(#\w{6})', part)) for part in css.split('@media screen')]
    for theme in themes:
        for ink, ground in (
            *(('text', 'bg'), ('text', 'card'), ('muted', 'bg'), ('muted', 'card')),
            *(('win', 'winbg'), ('lose', 'losebg'), ('open', 'openbg'), ('warn', 'warnbg')),
            ('accent', 'bg'),
        ):
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
