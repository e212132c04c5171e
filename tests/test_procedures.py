"""What a procedure rewinds, seen in where every training starts and what it meets."""

import dataclasses

import numpy as np
import pytest

from lth_keras import errors, rounds, schedules
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.procedures import PARTS, PROCEDURES, rewound
from lth_keras.progress import Progress
from lth_keras.stages import TICKET
from lth_keras.store import Store
from lth_keras.training import Shift
from tests import nets

K, STEPS = 3, 9
TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 1},
    **{'training_steps': STEPS, 'batch_size': 20, 'eval_every': 3, 'engine': 'plain'},
    **{'rewind_step': K, 'controls': ()},
}


def laboratory(build=nets.dense, **options):
    return Laboratory(Experiment(**TINY | options), build, nets.data())


def search(lab, workdir):
    """The rounds, and (variant, round, start, begin, shift) of each training that was made."""
    seen, train = [], lab.trainer.train

    def watched(start, mask, seed, stop, begin, eval_every, snapshot_at, told, shift, **more):
        seen.append((start, begin, stop, shift))
        given = start, mask, seed, stop, begin, eval_every, snapshot_at, told, shift
        return train(*given, **more)

    lab.trainer.train = watched
    found = list(rounds.search(lab, Store(workdir), Progress(0, quiet=True)))
    return found, seen


def masked(weights, mask):
    return {
        path: np.where(mask[path], value, 0).astype(value.dtype) if path in mask else value
        for path, value in weights.items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[p], other[p]) for p in one)


@pytest.mark.parametrize('name', PROCEDURES)
def test_every_procedure_starts_from_what_it_says(name, tmp_path):
    lab = laboratory(procedure=name)
    found, seen = search(lab, tmp_path)
    dense, snapshot = found[0], found[0].ticket.snapshot.weights
    tickets = [r for r in found if r.variant == TICKET][1:]
    chain = {r.round: r for r in found if r.variant == rounds.CONTINUED} or {
        r.round: r for r in tickets
    }
    parts = rewound(lab.experiment)
    starts = {id(r): s for r, s in zip(found, seen, strict=True)}
    for result in tickets:
        source = dense if name == 'one_shot' or result.round == 1 else chain[result.round - 1]
        start, begin, stop, shift = starts[id(result)]
        held = snapshot if 'weights' in parts else source.ticket.final
        assert same(start, masked(held, result.ticket.mask))
        assert (begin, stop) == (K, STEPS)
        gone = STEPS - K
        again = 1 if name == 'one_shot' else result.round
        expected = Shift(
            order=0 if 'order' in parts else again * gone,
            schedule=0 if 'schedule' in parts else again * gone,
        )
        assert shift == expected
        assert result.row['early_stop_step'] in range(K, STEPS + 1)


def test_the_continued_network_is_never_rewound(tmp_path):
    found, seen = search(laboratory(procedure='continued'), tmp_path)
    assert [(r.round, r.variant) for r in found] == [
        *((0, 'ticket'), (1, 'ticket'), (1, 'continued'), (2, 'ticket'), (2, 'continued'))
    ]
    by_name = {(r.round, r.variant): (r, s) for r, s in zip(found, seen, strict=True)}
    for number in (1, 2):
        ticket, _ = by_name[number, 'ticket']
        network, (start, _, _, shift) = by_name[number, 'continued']
        before = found[0] if number == 1 else by_name[number - 1, 'continued'][0]
        assert network.ticket.mask == ticket.ticket.mask
        assert same(start, masked(before.ticket.final, network.ticket.mask))
        assert shift == Shift(number * (STEPS - K), number * (STEPS - K))
    assert by_name[2, 'ticket'][0].ticket.mask <= by_name[1, 'continued'][0].ticket.mask


def test_continued_and_resetting_part_ways_in_the_second_round(tmp_path):
    fast = {'learning_rate': 0.1}
    one = search(laboratory(procedure='continued', **fast), tmp_path / 'a')[0]
    two = search(laboratory(procedure='resetting', **fast), tmp_path / 'b')[0]
    one = [r for r in one if r.variant == TICKET]
    assert one[1].stage == two[1].stage  # the same training: the first ticket is the same
    assert one[2].ticket.mask != two[2].ticket.mask
    assert one[2].ticket.mask.survivors == two[2].ticket.mask.survivors


def test_moving_statistics_may_stay(tmp_path):
    lab = laboratory(nets.normalised, rewound=('weights', 'schedule', 'order'), rounds=1)
    found, seen = search(lab, tmp_path)
    start, snapshot = seen[1][0], found[0].ticket.snapshot.weights
    assert lab.statistics and all('moving' in path for path in lab.statistics)
    for path in lab.statistics:
        assert np.array_equal(start[path], found[0].ticket.final[path])
        assert not np.array_equal(start[path], snapshot[path])
    others = [p for p in snapshot if p not in lab.statistics and p not in found[1].ticket.mask]
    assert others and all(np.array_equal(start[p], snapshot[p]) for p in others)


def test_only_some_rounds_of_one_shot(tmp_path):
    lab = laboratory(procedure='one_shot', rounds=4, only_rounds=(2, 4))
    whole = laboratory(procedure='one_shot', rounds=4)
    assert [plan.round for plan in lab.plans] == [2, 4]
    assert lab.plans == [whole.plans[1], whole.plans[3]]
    assert lab.fingerprint == whole.fingerprint
    found, _ = search(lab, tmp_path)
    assert [r.round for r in found] == [0, 2, 4]


def test_what_is_rewound_is_recorded():
    for name, procedure in PROCEDURES.items():
        parts = rewound(Experiment(procedure=name))
        assert set(parts) == set(procedure.rewinds) <= set(PARTS)
    chosen = Experiment(rewound=('order', 'weights'))
    assert rewound(chosen) == ('weights', 'order')
    assert chosen.fingerprint() != Experiment().fingerprint()


@pytest.mark.parametrize(
    ('settings', 'text'),
    [
        ({'procedure': 'fine_tune', 'rewound': ('weights',)}, 'rewound: expected to be left out'),
        ({'procedure': 'resetting', 'only_rounds': (1,)}, 'only_rounds: expected --procedure'),
        ({'procedure': 'one_shot', 'rounds': 2, 'only_rounds': (3,)}, 'among 1 to 2'),
        (
            {'procedure': 'continued', 'learning_rate_schedule': 'cosine'},
            'expected one that ends above 0',
        ),
        (
            {'rewound': ('weights',), 'learning_rate_schedule': 'cosine'},
            'expected one that ends above 0',
        ),
        ({'rewound': ('wieghts',)}, "unknown value 'wieghts'"),
        (
            {'procedure': 'fine_tune', 'controls': ('random_mask',)},
            'controls: expected a procedure',
        ),
    ],
)
def test_settings_that_contradict_the_procedure(settings, text):
    with pytest.raises(errors.ConfigError, match=text):
        Experiment(**settings)


def test_plans_do_not_depend_on_what_is_rewound():
    counting = schedules.Counting({'a': 100, 'b': 50}, {'a': 0.2, 'b': 0.1})
    plans = [PROCEDURES.get(n)(counting, 3, None) for n in ('resetting', 'continued', 'fine_tune')]
    assert plans[0] == plans[1] == plans[2]
    assert (
        dataclasses.replace(plans[0][0], source=0)
        == PROCEDURES.get('one_shot')(counting, 1, None)[0]
    )
