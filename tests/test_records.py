"""The records of a run: the same text each time, edits detected, a command that repeats it."""

import json
import shlex

import numpy as np
import pytest
from absl import flags

from experiments import config_flags
from lth_keras import errors, records, rounds
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.store import Store
from tests import nets

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 2},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'plain'},
}


def laboratory(**options):
    return Laboratory(Experiment(**TINY | options), nets.dense, nets.data())


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """A laboratory, its store, and the rows of its search by place."""
    lab, store = laboratory(), Store(tmp_path_factory.mktemp('work'))
    rows = [r.row for r in rounds.search(lab, store, Progress(0, quiet=True))]
    return lab, store, {records.place(row): row for row in rows}


def written(found, directory):
    """The record in a run's directory of its own."""
    lab, _, known = found
    (directory / records.NAME).write_text(records.to_text(lab, known))
    return directory / records.NAME


def parsed(command):
    """The experiment that the flags of a command describe, as the command line reads them."""
    program, *arguments = shlex.split(command)
    values = flags.FlagValues()
    define = flags.DEFINE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            config_flags.flags,
            'DEFINE',
            lambda *given, **options: define(*given, flag_values=values, **options),
        )
        boolean = flags.DEFINE_boolean
        patch.setattr(
            config_flags.flags,
            'DEFINE_boolean',
            lambda *given: boolean(*given, flag_values=values),
        )
        config_flags.define()
        patch.setattr(config_flags.flags, 'FLAGS', values)
        assert values([program, *arguments]) == [program]
        return config_flags.configured()


# -- the text


def test_the_text_is_the_same_each_time(found):
    lab, _, known = found
    text = records.to_text(lab, known)
    assert records.to_text(lab, dict(reversed(known.items()))) == text
    assert records.to_text(laboratory(), known) == text
    record = json.loads(text)
    assert [records.place(row) for row in record['rows']] == sorted(known)
    assert record['identity'].keys() >= {'digests', 'versions', 'device', 'threads', 'engine'}
    assert record['configuration']['fingerprint'] == lab.fingerprint
    assert record['configuration']['training_steps'] == 4


def test_a_second_search_writes_the_same_text(found, tmp_path):
    lab, _, known = found
    again = laboratory()
    rows = [r.row for r in rounds.search(again, Store(tmp_path), Progress(0, quiet=True))]
    assert records.to_text(again, {records.place(row): row for row in rows}) == records.to_text(
        lab, known
    )
    assert str(tmp_path) not in records.to_text(again, known)


def test_a_row_is_a_line(found):
    lab, _, known = found
    lines = [line for line in records.to_text(lab, known).splitlines() if '"stage"' in line]
    assert [json.loads(line.rstrip(',')) for line in lines] == [known[k] for k in sorted(known)]


def test_tickets_come_before_their_controls(found):
    order = [(p[0], p[1], p[3]) for p in sorted(found[2])]
    one = [(0, 'ticket'), (1, 'ticket'), (1, 'reinit'), (2, 'ticket'), (2, 'reinit')]
    assert order == [(replicate, *rest) for replicate in (0, 1) for rest in one]


# -- reading


def test_what_was_written_is_read(found, tmp_path):
    written(found, tmp_path)
    assert records.recorded(tmp_path, found[1]) == found[2]


def test_no_record_is_no_rows(found, tmp_path):
    assert records.recorded(tmp_path, found[1]) == {}
    assert records.recorded(tmp_path / 'nowhere', found[1]) == {}


def test_rows_whose_stage_is_gone_are_left_out(found, tmp_path):
    written(found, tmp_path)
    assert records.recorded(tmp_path, Store(tmp_path)) == {}
    row = next(iter(found[2].values()))
    (tmp_path / 'stages' / row['stage']).mkdir(parents=True)
    assert list(records.recorded(tmp_path, Store(tmp_path)).values()) == [row]


def refused(found, path):
    with pytest.raises(errors.StoreError, match='remove it and run the same command') as raised:
        records.recorded(path.parent, found[1])
    assert str(path) in str(raised.value) and '\n' not in str(raised.value)


EDITS = {
    'accuracy': lambda rows: rows[1].update(test_accuracy=0.999),
    'integer for float': lambda rows: rows[0].update(density=1),
    'layers': lambda rows: rows[2]['layers']['dense/kernel'].update(kept=1),
    'a row less': lambda rows: rows.pop(),
    'a row twice': lambda rows: rows.append(rows[0]),
    'another order': lambda rows: rows.reverse(),
    'not a number': lambda rows: rows[0].update(test_loss=float('nan')),
}


@pytest.mark.parametrize('edit', EDITS)
def test_an_edited_row_is_refused(edit, found, tmp_path):
    path = written(found, tmp_path)
    record = json.loads(path.read_text())
    EDITS[edit](record['rows'])
    path.write_text(json.dumps(record))
    refused(found, path)


@pytest.mark.parametrize(
    'garbage',
    [b'', b'garbage', b'\xff\xfe\x00', b'[]', b'{}', b'null', b'{"rows": []}', b'{"checksum": 1}'],
)
def test_garbage_is_refused(garbage, found, tmp_path):
    path = tmp_path / records.NAME
    path.write_bytes(garbage)
    refused(found, path)


def test_a_truncated_record_is_refused(found, tmp_path):
    path = written(found, tmp_path)
    path.write_text(path.read_text()[:-20])
    refused(found, path)


# -- the command

OTHER = {
    **{'model': 'tests.own:small', 'dataset': 'tests.own:data', 'split_seed': 3, 'rounds': 4},
    **{'rate': 0.25, 'conv_rate': 0.1, 'output_rate': 0.0, 'shortcut_rate': 0.05},
    **{'include': ('dense*/kernel', 'a b/*'), 'exclude': ("it's/[0-9]",), 'learning_rate': 1e-05},
    **{'rounding': 'floor', 'training_steps': 77, 'batch_size': 7, 'optimizer': 'sgd'},
    **{'eval_every': 9, 'rewind_step': 5, 'replicates': 2, 'seed': 11, 'controls': ()},
    **{'control_rounds': (2, 4), 'engine': 'plain', 'threads': 2, 'export': ('1', 'none')},
    'margin': 0.0125,
}


def known_options():
    """The options above that this version has values for, else the field's first other value."""
    options = dict(OTHER)
    for name in ('rounding', 'optimizer'):
        item = next(f for f in Experiment.__dataclass_fields__.values() if f.name == name)
        values = [v for v in item.metadata['known'] if v != item.default]
        if options[name] not in values:
            options.pop(name)
            options.update({name: values[0]} if values else {})
    return options


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'target_density': 0.3, 'procedure': 'one_shot'},
        {'scope': 'global', 'controls': ('reinit',)},
        {'control_rounds': (1, 3)},
        known_options(),
    ],
    ids=['defaults', 'target', 'global', 'control_rounds', 'all'],
)
def test_the_command_describes_the_same_experiment(options):
    experiment = Experiment(**options)
    command = records.command(experiment)
    assert shlex.split(command)[0] == 'tools/lottery'
    assert parsed(command) == experiment
    changed = {n for n, value in options.items() if getattr(Experiment(), n) != value}
    flags = {part.split('=')[0][2:] for part in shlex.split(command)[1:]}
    assert flags == {'model', 'dataset'} | changed  # those two always, the rest if not default


def test_folders_and_labels_are_left_to_the_reader():
    experiment = Experiment(
        data_dir='/some/where', workdir='/else/where', label='mine', dry_run=True, download=True
    )
    always = '--model=lenet_300_100 --dataset=digits'
    assert records.command(experiment) == f'tools/lottery {always} --data_dir=$TFDS_DATA_DIR'


def test_arrays_are_given_by_a_call():
    command = records.command(Experiment(**TINY))
    assert command.startswith('lth_keras.find_tickets --model=tests.nets:dense ')


def the_command(found, wanted):
    lab, _, known = found
    rows = {place: row for place, row in known.items() if wanted(row)}
    return json.loads(records.to_text(lab, rows))['command'].split()


def test_the_command_covers_the_rows_and_no_more(found):
    assert {'--rounds=2', '--replicates=2'} <= set(the_command(found, lambda row: True))
    some = the_command(found, lambda row: row['round'] < 2 and row['replicate'] == 0)
    assert {'--rounds=1', '--replicates=1'} <= set(some)
    assert not any(part.startswith('--control') for part in some)
    without = the_command(found, lambda row: row['variant'] == 'ticket')
    assert "--controls=''" in without
    late = the_command(found, lambda row: row['variant'] == 'ticket' or row['round'] == 2)
    assert '--control_rounds=2' in late


def test_digests_of_rows_do_not_depend_on_where_numbers_come_from(found):
    lab, _, known = found
    other = {
        place: {**row, 'test_loss': np.float64(row['test_loss'])} for place, row in known.items()
    }
    assert records.to_text(lab, other) == records.to_text(lab, known)
