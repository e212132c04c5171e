"""A small trained ticket, committed: every later version must read it to the same values."""

from pathlib import Path

import numpy as np

from lth_keras import architecture
from lth_keras._compat import layers, tf_keras
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket

GOLDEN = Path(__file__).with_name('ticket-v1')


def ticket() -> Ticket:
    """The ticket that was written."""
    model = tf_keras.Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(2)])
    shapes = {
        'dense/kernel': (3, 2),
        'dense/bias': (2,),
        'dense_1/kernel': (2, 2),
        'dense_1/bias': (2,),
    }
    values = {
        path: (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 2) / 8
        for path, shape in shapes.items()
    }
    mask = Mask({'dense/kernel': [[1, 0], [1, 1], [0, 1]], 'dense_1/kernel': [[1, 0], [0, 1]]})
    trained = {path: value * 2 for path, value in values.items()}
    return Ticket(
        mask,
        Snapshot(5, values),
        {'round': 1, 'seed': 0},
        architecture.to_json(model),
        Snapshot(5, trained).masked(mask),
        Snapshot(5, trained).masked(mask),
    )


def test_the_golden_ticket_reads_to_the_same_values():
    found, expected = Ticket.load(GOLDEN), ticket()
    assert found.mask == expected.mask and list(found.mask) == list(expected.mask)
    assert found.snapshot.step == 5 and dict(found.provenance) == {'round': 1, 'seed': 0}
    for which in ('start', 'early_stop', 'final'):
        one, other = found.weights(which), expected.weights(which)
        assert list(one) == list(other)
        assert all(np.array_equal(one[path], other[path]) for path in other)
    x = np.ones((1, 3), np.float32)
    assert np.array_equal(found.model()(x), expected.model()(x))


def test_the_same_ticket_gives_the_same_bytes(tmp_path):
    ticket().save(tmp_path / 'again')
    for path in sorted(GOLDEN.iterdir()):
        assert path.read_bytes() == (tmp_path / 'again' / path.name).read_bytes(), path.name
