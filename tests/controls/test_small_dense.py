"""The small dense network: as wide as the ticket's number of parameters allows."""

import functools

import numpy as np
import pytest

from lth_keras import architecture, errors, graph, initial
from lth_keras._compat import layers, tf_keras
from lth_keras.controls import CONTROLS, Context
from lth_keras.controls.small_dense import HALVINGS, parameters
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket
from tests import nets

small_dense = CONTROLS.get('small_dense')
KERNELS = ('dense/kernel', 'hidden/kernel')


def network(width=1.0, inputs=6, name='hidden'):
    """Kernels (6, u), (u, 2 u) and (2 u, 3) for u units; the last is not in the masks."""
    units = max(1, round(20 * width))
    return tf_keras.Sequential(
        [
            layers.Dense(units, input_shape=(inputs,)),
            layers.BatchNormalization(),
            layers.Dense(2 * units, name=name),
            layers.Dense(3),
        ]
    )


def count(units):
    """Trainable parameters: kernels, biases, scales and offsets."""
    return 6 * units + 2 * units**2 + 6 * units + (units + 2 * units + 3) + 2 * units


def ticket_with(kept, step=0):
    """A ticket of which so many of the 920 weights in the two masked kernels are kept."""
    flat = np.arange(920) < kept
    mask = Mask({KERNELS[0]: flat[:120].reshape(6, 20), KERNELS[1]: flat[120:].reshape(20, 40)})
    weights = initial.initial_weights(network, 0)
    return Ticket(mask, Snapshot(step, weights), {}, architecture.to_json(network()))


def made_of(ticket, resized=None, **options):
    resized = resized or (lambda width: functools.partial(network, width))
    return small_dense(ticket, Context(network(), 0, 1, resized=resized, **options))


def test_parameters_by_hand():
    model, ticket = network(), ticket_with(100)
    assert parameters(model) == count(20) == 1143
    assert parameters(model, ticket.mask) == 1143 - 820
    assert parameters(network(0.5)) == count(10)
    model.get_layer('hidden').trainable = False
    assert parameters(model, ticket.mask) == 1143 - 20 - 800 - 40


@pytest.mark.parametrize('units', [8, 13, 19])
@pytest.mark.parametrize('spare', [0, -1])
def test_the_widest_network_within_the_parameters(units, spare):
    """Exactly as many parameters as a narrower network has: that network; one less: the next."""
    kept = count(units) - (count(20) - 920) + spare
    made = made_of(ticket_with(kept))
    found = made.mask.shapes[KERNELS[0]][1]
    assert found == units + spare
    assert parameters(made.model('start')) <= parameters(network(), ticket_with(kept).mask)


def test_it_is_dense_under_the_same_paths_with_its_own_weights():
    ticket = ticket_with(300, step=5)
    made = made_of(ticket)
    assert list(made.mask) == list(KERNELS)
    assert made.density == 1.0
    assert made.snapshot.step == 5
    assert list(made.snapshot.weights) == list(graph.variables(network()))
    model = made.model('start')
    assert model.output_shape == (None, 3)
    assert np.all(np.isfinite(model.predict(nets.examples()[0], verbose=0)))


def test_few_models_are_built():
    built = []

    def resized(width):
        def build():
            built.append(width)
            return network(width)

        return build

    made_of(ticket_with(300), resized)
    assert len(set(built)) == HALVINGS + 1
    assert len(built) == HALVINGS + 3 <= 25  # the one that was found thrice
    assert all(0 < width <= 1 for width in built)


def test_a_network_without_a_width():
    with pytest.raises(errors.ConfigError, match='small_dense: .* without a width; .*`width`'):
        small_dense(ticket_with(300), Context(network(), 0, 1))


def test_a_ticket_below_the_narrowest_network():
    def resized(width):
        return functools.partial(network, max(width, 0.6))

    with pytest.raises(
        errors.ConfigError, match='of at most 323 parameters, the narrowest has 495'
    ):
        made_of(ticket_with(100), resized)


def test_a_narrower_network_of_other_layers():
    def resized(width):
        return functools.partial(network, width, name='other')

    with pytest.raises(errors.ModelError, match="differs in 'other/kernel'"):
        made_of(ticket_with(300), resized)


def test_a_ticket_of_another_model():
    context = Context(network(inputs=7), 0, 1, resized=lambda width: network)
    with pytest.raises(errors.MaskError, match='expected shape'):
        small_dense(ticket_with(300), context)


def test_a_width_that_does_nothing():
    with pytest.raises(errors.ConfigError, match='the narrowest has 1,143'):
        made_of(ticket_with(300), lambda width: network)
