"""A finished run in, files out: their bytes, their names, and what is refused."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lth_keras as lth
from experiments import analyse as command
from lth_keras import artefact, errors, session
from lth_keras.analysis import ANALYSES, Analysis, analyse, drawing, writing
from lth_keras.analysis.kept import Kept
from lth_keras.store import Store, stage_key

ROOT = Path(__file__).resolve().parents[2]
TABLES = [
    *('dead_units', 'dead_units_mask', 'inputs', 'layers', 'overlap_replicates'),
    *('overlap_rounds', 'weights', 'weights_histograms'),
]


@pytest.fixture
def run(searched, tmp_path):
    """A copy of the finished search, to write to."""
    shutil.copytree(searched.parent, tmp_path / 'work')
    return tmp_path / 'work' / searched.name


def files(run):
    return {p.name: p.read_bytes() for p in (run / 'analysis').iterdir()}


def test_everything_is_written(searched, analysed):
    run, found = analysed
    before, after = (
        {p.relative_to(work): p.read_bytes() for p in work.rglob('*') if p.is_file()}
        for work in (searched.parent, run.parent)
    )
    assert list(found) == list(ANALYSES)
    written = files(run)
    expected = ['analysis.json', *(f'{n}.png' for n in ANALYSES), *(f'{t}.csv' for t in TABLES)]
    assert sorted(written) == sorted(expected)
    assert {p: after[p] for p in before} == before  # nothing else was touched
    assert {p.parent.name for p in after.keys() - before.keys()} == {'analysis'}
    for name, content in written.items():
        if name.endswith('.png'):
            assert content[:8] == b'\x89PNG\r\n\x1a\n' and b'Software' not in content
    record = json.loads(written['analysis.json'])
    assert (record['format'], record['version']) == (writing.FORMAT, writing.VERSION)
    assert record['analyses'] == json.loads(json.dumps(found))
    text = written['analysis.json'].decode()
    assert str(run.parent) not in text and os.uname().nodename not in text

    densities = [r['density'] for r in found['layers']['tables']['layers'] if r['kernel'] == 'all']
    # 36 + 12 weights: 29 + 11 after a round (7.2 and 1.2 go), then 23 + 10.
    assert densities == [1.0, 40 / 48, 33 / 48] * 2
    table = list(csv.DictReader(written['weights.csv'].decode().splitlines()))
    rows = found['weights']['tables']['weights']
    assert [float(r['ticket_growth']) for r in table] == [r['ticket_growth'] for r in rows]
    assert {r['dense_growth_pruned'] for r in table if r['round'] == '0'} == {''}
    table = list(csv.DictReader(written['inputs.csv'].decode().splitlines()))
    rows = found['inputs']['tables']['inputs']
    images = [np.array(row['kept'].split(), int).reshape(2, 3, 1).tolist() for row in table]
    assert images == [row['kept'] for row in rows]


def test_the_same_run_gives_the_same_bytes(run, given, analysed):
    analyse(run, **given)
    assert files(run) == files(analysed[0])


def test_one_analysis_at_a_time_keeps_the_others(run, given, analysed):
    shutil.copytree(analysed[0] / 'analysis', run / 'analysis')
    first = files(run)
    analyse(run, only=['overlap'], **given)
    assert files(run) == first
    analyse(run, only=['layers'], rounds=[2], replicates=[1], **given)
    record = json.loads((run / 'analysis' / 'analysis.json').read_text())
    assert {r['round'] for r in record['analyses']['layers']['tables']['layers']} == {2}
    assert record['analyses']['layers']['replicates'] == [1]
    assert record['analyses']['weights']['rounds'] == [0, 1, 2]


def test_one_ticket_alone_can_be_drawn(run, given):
    found = analyse(run, rounds=[1], replicates=[0], part='validation', **given)
    assert found['overlap']['tables'] == {} and len(found['overlap']['notes']) == 2
    assert found['dead_units']['part'] == 'validation'


def test_a_run_of_another_machine_can_be_read(run, given, analysed, monkeypatch):
    monkeypatch.setattr(session, 'threads', lambda: 99)
    monkeypatch.setattr(session, 'device', lambda: 'another')
    found = analyse(run, only=['layers', 'weights'], **given)
    assert found == {name: analysed[1][name] for name in ('layers', 'weights')}


def test_the_numbers_are_those_of_the_tickets(run, given):
    from lth_keras.analysis import reading

    finished = reading.read(run, **given)
    for seen in finished.tickets([0, 2], [0, 1]):
        row = next(
            r
            for r in finished.rows
            if (r['replicate'], r['round']) == (seen.result.replicate, seen.result.round)
        )
        assert row['stage'] == seen.result.stage
        assert row['density'] == seen.mask.density
        assert seen.dense.round == 0
        start = seen.result.ticket.start()
        for path in seen.mask:
            assert np.array_equal(start[path], np.where(seen.mask[path], seen.initial[path], 0))


@pytest.mark.parametrize(
    'options',
    [
        {'rewind_step': 4},
        {'procedure': 'continued'},
        {'procedure': 'fine_tune'},
        {'procedure': 'one_shot', 'rounds': 3},
        {'stop_rule': 'accuracy_floor', 'stop_floor': 0.99},
        {'replicates': 1, 'first_replicate': 2},
    ],
    ids=str,
)
def test_every_procedure_is_followed(tmp_path, given, options):
    from tests.analysis import conftest

    data = given['data']
    found = lth.find_tickets(
        *(given['build_model'], data.train, data.test, data.validation),
        **{'quiet': True, 'workdir': str(tmp_path), **conftest.OPTIONS, **options},
    )
    tickets = [row for row in found.rows if row['variant'] == 'ticket']
    if options.get('procedure') == 'one_shot':  # whose rounds need not be without gaps
        path = found.directory / 'records.json'
        record = json.loads(path.read_text())
        record['rows'] = tickets = [row for row in tickets if row['round'] != 2]
        path.write_text(json.dumps(record))
        shutil.rmtree(tmp_path / 'stages' / next(r['stage'] for r in found.rows if r['round'] == 2))
    rows = analyse(found.directory, only=['layers'], **given)['layers']['tables']['layers']
    assert [(r['replicate'], r['round'], r['density']) for r in rows if r['kernel'] == 'all'] == [
        (r['replicate'], r['round'], r['density']) for r in tickets
    ]


def test_a_named_run_needs_no_more_than_its_directory(named):
    found = analyse(named, only=['inputs', 'dead_units'])
    (row, _) = found['inputs']['tables']['inputs']
    assert np.shape(row['kept']) == (8, 8, 1)


def test_command(named, capsys):
    assert command.main([str(named), '--only=layers', '--rounds=1']) == 0
    out = capsys.readouterr().out
    assert 'layers: layers.png, layers.csv' in out and 'written to' in out


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['--only=laiers'], "unknown analysis 'laiers': did you mean 'layers'"),
        (['--rounds=7'], 'rounds: expected some of 0, 1, received 7'),
        (['--replicates=3'], 'replicates: expected some of 0, received 3'),
        (['--rounds=x'], 'expected whole numbers like 0,3,7'),
        (['--part=test'], "part: expected train or validation, received 'test'"),
        (['--what'], 'unrecognized arguments: --what'),
    ],
)
def test_expected_failures_are_one_line(named, arguments, text, capsys):
    assert command.main([str(named), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and text in error and error.count('\n') == 1


def test_directories_that_are_no_finished_run(run, given, tmp_path):
    with pytest.raises(errors.StoreError, match='without run.json; pass WORKDIR'):
        analyse(tmp_path)
    with pytest.raises(errors.ConfigError, match=r'find_tickets.*build_model=\.\.\., data='):
        analyse(run)
    (run / 'records.json').unlink()
    with pytest.raises(errors.StoreError, match='no finished training; first run: lth_keras.find'):
        analyse(run, **given)
    (run / 'run.json').write_text('{}')
    with pytest.raises(errors.StoreError, match='expected the record of a run'):
        analyse(run, **given)
    (run / 'run.json').write_text('no JSON')
    with pytest.raises(errors.StoreError, match='expected JSON in'):
        analyse(run, **given)


def test_a_missing_stage_names_the_command(run, given):
    rows = json.loads((run / 'records.json').read_text())['rows']
    lost = next(r['stage'] for r in rows if (r['replicate'], r['round']) == (1, 2))
    shutil.rmtree(run.parent / 'stages' / lost)
    with pytest.raises(
        errors.StoreError, match='train stage of replicate 1 after round 1.*first run: lth'
    ):
        analyse(run, **given)
    analyse(run, rounds=[0, 1], **given)  # what is there can be looked at
    for path in (run.parent / 'stages').glob('prune-*'):
        shutil.rmtree(path)
    with pytest.raises(errors.StoreError, match='prune stage of replicate 0 after round 0'):
        analyse(run, rounds=[1], **given)


def test_other_code_or_data_is_refused(run, given):
    from lth_keras._compat import tf_keras

    other = tf_keras.models.clone_model(given['build_model']())
    other.layers[-1].activation = tf_keras.activations.tanh
    with pytest.raises(errors.StoreError, match='expected the model of the recorded run'):
        analyse(run, build_model=lambda: tf_keras.models.clone_model(other), data=given['data'])
    x, y = given['data'].train
    data = dataclasses.replace(given['data'], train=(x + 1, y))
    with pytest.raises(errors.StoreError, match='expected the data of the recorded run'):
        analyse(run, build_model=given['build_model'], data=data)


def test_an_option_of_the_future_is_named(run, given):
    record = json.loads((run / 'run.json').read_text())
    record['identity']['configuration']['warp'] = 9
    (run / 'run.json').write_text(json.dumps(record))
    with pytest.raises(errors.ConfigError, match="received 'warp' in the record"):
        analyse(run, **given)


def test_a_changed_result_is_not_written_over(run, given):
    analyse(run, only=['layers'], **given)
    path = run / 'analysis' / 'analysis.json'
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(errors.StoreError, match='analysis.json, received something else; remove'):
        analyse(run, only=['layers'], **given)


def test_a_new_analysis_is_a_class_and_a_line(run, given, monkeypatch):
    from lth_keras import analysis
    from lth_keras.registry import Registry

    class Counting(Analysis):
        """Counts tickets."""

        name = 'counting'

        def add(self, seen):
            self.put('counting', {**seen.place, 'kept': seen.mask.kept})

        def draw(self, figure):
            drawing.say(figure.subplots(), 'nothing')

    monkeypatch.setattr(analysis, 'ANALYSES', Registry('analysis', [Counting]))
    found = analyse(run, **given)
    assert len(found['counting']['tables']['counting']) == 6
    assert 'counting.csv' in files(run) and 'counting.png' in files(run)


def test_the_script_is_sound():
    script = ROOT / 'tools' / 'analyse'
    assert os.access(script, os.X_OK)
    checked = subprocess.run(['bash', '-n', str(script)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, '')


def test_every_analysis_has_a_summary():
    for name in ANALYSES:
        assert len(ANALYSES.summary(name)) > 20 and ANALYSES[name].name == name


def test_a_run_comes_before_what_others_trained_in_its_place(run):
    """The same training on another machine: its stage under this machine's name is not ours."""
    rows = json.loads((run / 'records.json').read_text())['rows']
    own = next(r['stage'] for r in rows if (r['replicate'], r['round']) == (0, 1))
    inputs = artefact.read_manifest(run.parent / 'stages' / own)['meta']['inputs']
    kept = Kept(run.parent, {'threads'}, {own})
    elsewhere = {**inputs, 'threads': 99}
    assert f'train-{stage_key("train", elsewhere)}' != own
    copy = artefact.read(run.parent / 'stages' / own, 'train')
    meta = {k: v for k, v in copy.meta.items() if k != 'inputs'} | {'early_stop_step': 999}
    other = dataclasses.replace(copy, meta=meta)
    Store(run.parent).get_or('train', elsewhere, lambda: other)
    assert kept.get_or('train', elsewhere, None).meta['inputs'] == inputs
    # Of a run that is not ours the exact name counts.
    assert (
        Kept(run.parent, {'threads'}, set())
        .get_or('train', elsewhere, None)
        .meta['early_stop_step']
        == 999
    )
