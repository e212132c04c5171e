"""The exam of the controls: exactly one ingredient of the ticket is destroyed, reproducibly.

Every member of the registry sits it. Controls that change nothing, change too much, or depend on
what the process did before sit it too and must fail it.
"""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import architecture, digests, errors, graph, initial
from lth_keras._compat import layers, tf_keras
from lth_keras.controls import CONTROLS, Context
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, assign_mask, read_mask, wrapping
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket
from tests import nets

initializers = tf_keras.initializers


class Failed(Exception):
    """The exam is not passed; the text says why."""


def unseeded():
    return nets.resnet((4, 4, 2))


def seeded():
    return tf_keras.Sequential(
        [
            layers.Dense(6, input_shape=(6,), kernel_initializer=initializers.HeNormal(seed=1)),
            layers.Dense(6, kernel_initializer=initializers.GlorotUniform(seed=1)),
            layers.Dense(3, kernel_initializer=initializers.RandomNormal(seed=2)),
        ]
    )


def shared():
    one = initializers.GlorotNormal()
    parts = [layers.Dense(6, kernel_initializer=one) for _ in range(3)]
    return tf_keras.Sequential([layers.Input((6,)), *parts])


def recurrent():
    return tf_keras.Sequential([layers.LSTM(4, input_shape=(3, 2)), layers.Dense(3)])


def separable():
    return tf_keras.Sequential(
        [
            layers.SeparableConv2D(4, 3, input_shape=(6, 6, 2)),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


BUILDERS = [unseeded, seeded, shared, recurrent, separable, nets.nested]


def make_ticket(build, seed=5):
    """A ticket of half the weights, rewound to step 2 of a training that is made up."""
    model = build()
    values = initial.initial_weights(build, seed)
    wrapped = PruningPolicy().wrap(model)
    mask = nets.random_mask(wrapped)
    # An early step: every variable has moved a little.
    weights = {path: (value + 0.01).astype(value.dtype) for path, value in values.items()}
    return Ticket(mask, Snapshot(2, weights), {'round': 3}, architecture.to_json(model))


def digest(ticket):
    return digests.digest([dict(ticket.mask), dict(ticket.snapshot.weights)])


def destroys_one_ingredient(control, build):
    """The exam; returns the control's ticket."""
    ticket, model = make_ticket(build), build()
    before, weights = digest(ticket), wrapping.read(model)
    context = Context(model, seed=0, round=3)
    tf_keras.utils.set_random_seed(1)
    made = control(ticket, context)
    if digest(ticket) != before or nets.unlike(weights, wrapping.read(model)):
        raise Failed('the control changed what it was given')
    if made.architecture != ticket.architecture or made.snapshot.step != ticket.snapshot.step:
        raise Failed('the architecture or the rewind step changed')
    if list(made.snapshot.weights) != list(ticket.snapshot.weights):
        raise Failed('the variables are others')
    if made.mask.kept != ticket.mask.kept or made.mask.shapes != ticket.mask.shapes:
        raise Failed('the mask has another size')
    changed = {'mask': made.mask != ticket.mask}
    start, old = made.start(), ticket.start()
    equal = [path for path in ticket.mask if np.array_equal(start[path], old[path])]
    if changed['mask']:
        if nets.unlike(dict(made.snapshot.weights), dict(ticket.snapshot.weights)):
            raise Failed('mask and weights both changed')
    elif equal:
        raise Failed(f'{equal[0]}: the start of the control is that of the ticket')
    for value in start.values():
        if not np.all(np.isfinite(value)):
            raise Failed('the start is not finite')
    build(), tf_keras.utils.set_random_seed(7)
    if digest(control(ticket, context)) != digest(made):
        raise Failed('a second time it is another control')
    for other in (
        dataclasses.replace(context, seed=1),
        dataclasses.replace(context, round=4),
        dataclasses.replace(context, draw=1),
    ):
        if digest(control(ticket, other)) == digest(made):
            raise Failed(f'the same draw for {other.seed}, {other.round}, {other.draw}')
    return made


@pytest.mark.parametrize('build', BUILDERS, ids=lambda build: build.__name__)
@pytest.mark.parametrize('name', CONTROLS)
def test_every_control_destroys_one_ingredient(name, build):
    destroys_one_ingredient(CONTROLS.get(name), build)


# -- the known-bad members


def nothing(ticket, context):
    return ticket


def initializer_again(ticket, context):
    """Calls the layers' own initialisers again, which gives the same values again."""
    values = dict(ticket.snapshot.weights)
    for path, layer in graph.named_layers(context.model):
        for name in ('kernel', 'depthwise_kernel', 'pointwise_kernel'):
            if hasattr(layer, name):
                rule = getattr(layer, name.removesuffix('_kernel') + '_initializer')
                values[f'{path}/{name}'] = rule(getattr(layer, name).shape).numpy()
    return dataclasses.replace(ticket, snapshot=Snapshot(2, values))


def one_layer_only(ticket, context):
    made = CONTROLS.get('reinit')(ticket, context)
    last = list(ticket.mask)[-1]
    weights = {**made.snapshot.weights, last: ticket.snapshot.weights[last]}
    return dataclasses.replace(made, snapshot=Snapshot(2, weights))


def pruned_only(ticket, context):
    """Draws weights anew that the mask hides."""
    made = CONTROLS.get('reinit')(ticket, context)
    weights = dict(made.snapshot.weights)
    for path, kept in ticket.mask.items():
        weights[path] = np.where(kept, ticket.snapshot.weights[path], weights[path])
    return dataclasses.replace(made, snapshot=Snapshot(2, weights))


def unseeded_draw(ticket, context):
    weights = {
        path: value + np.random.normal(size=value.shape).astype(value.dtype)
        for path, value in ticket.snapshot.weights.items()
    }
    return dataclasses.replace(ticket, snapshot=Snapshot(2, weights))


def one_draw_for_all(ticket, context):
    return CONTROLS.get('reinit')(ticket, dataclasses.replace(context, draw=0))


def both(ticket, context):
    mask = Mask({path: kept[::-1] for path, kept in ticket.mask.items()})
    return dataclasses.replace(CONTROLS.get('reinit')(ticket, context), mask=mask)


def sparser(ticket, context):
    mask = Mask({path: kept & kept[::-1] for path, kept in ticket.mask.items()})
    return dataclasses.replace(ticket, mask=mask)


def in_place(ticket, context):
    for value in ticket.snapshot.weights.values():
        value += 0.1
    return dataclasses.replace(ticket)


def from_zero(ticket, context):
    made = CONTROLS.get('reinit')(ticket, context)
    return dataclasses.replace(made, snapshot=Snapshot(0, made.snapshot.weights))


BAD = [
    *(nothing, one_layer_only, pruned_only, unseeded_draw, one_draw_for_all),
    *(both, sparser, in_place, from_zero),
]


@pytest.mark.parametrize('bad', BAD, ids=lambda bad: bad.__name__)
def test_bad_controls_fail(bad):
    with pytest.raises(Failed):
        destroys_one_ingredient(bad, shared)


def test_calling_the_initialiser_again_fails():
    """The trap: a Keras initialiser that is called again returns what it returned before."""

    def at_step_0(ticket, context):
        values = wrapping.read(context.model)
        made = initializer_again(ticket, context)
        assert nets.unlike(values, {**values, **_kernels(made, ticket.mask)}) == []
        return made

    with pytest.raises(Failed):
        destroys_one_ingredient(at_step_0, seeded)


def _kernels(ticket, mask):
    return {path: ticket.snapshot.weights[path] for path in mask}


# -- random re-initialisation

reinit = CONTROLS.get('reinit')


@pytest.mark.parametrize('build', BUILDERS, ids=lambda build: build.__name__)
def test_reinit_keeps_the_mask_and_draws_every_kernel(build):
    ticket = make_ticket(build)
    made = reinit(ticket, Context(build(), seed=0, round=3))
    assert made.mask == ticket.mask
    for path in ticket.mask:
        new, old = made.snapshot.weights[path], ticket.snapshot.weights[path]
        assert np.mean(new == old) < 0.05
        assert 0.3 < new.std() / old.std() < 3  # from the layer's own distribution
        assert abs(new.mean()) < new.std()
    drawn = [made.snapshot.weights[path] for path in ticket.mask]
    for i, one in enumerate(drawn):  # also of two layers that share an initialiser
        assert not any(np.array_equal(one, other) for other in drawn[:i])


@pytest.mark.parametrize('build', [unseeded, recurrent, separable], ids=lambda b: b.__name__)
def test_reinit_returns_the_rest_to_where_a_model_begins(build):
    """Biases and normalisation have constants; an LSTM's bias is 1 at its forget gate."""
    ticket = make_ticket(build)
    made = reinit(ticket, Context(build(), seed=0, round=3))
    model = build()
    for path, value in wrapping.read(model).items():
        if 'kernel' not in path:
            np.testing.assert_array_equal(made.snapshot.weights[path], value, err_msg=path)


@pytest.mark.parametrize('rule', ['zeros', initializers.Constant(0.1)])
def test_reinit_that_would_change_nothing_is_refused(rule):
    def build():
        return tf_keras.Sequential(
            [layers.Dense(4, input_shape=(6,)), layers.Dense(3, kernel_initializer=rule)]
        )

    model = build()
    ticket = Ticket(
        Mask.ones({'dense/kernel': (6, 4), 'dense_1/kernel': (4, 3)}),
        Snapshot(0, wrapping.read(model)),
        {},
        architecture.to_json(model),
    )
    with pytest.raises(errors.ModelError, match=r"'dense_1/kernel'.*equal the old ones.*constant"):
        reinit(ticket, Context(model, seed=0, round=1))


def test_reinit_with_a_function_for_an_initialiser_is_seeded_or_refused():
    """A function takes no seed: its draw would depend on what the process did before."""

    def rule(shape, dtype=None):
        return tf.random.normal(shape, dtype=dtype or tf.float32)

    model = tf_keras.Sequential([layers.Dense(4, input_shape=(6,), kernel_initializer=rule)])
    shapes = {'dense/kernel': (6, 4)}
    ticket = Ticket(Mask.ones(shapes), Snapshot(0, wrapping.read(model)), {}, '')
    try:
        drawn = [digest(reinit(ticket, Context(model, seed=0, round=1))) for _ in range(2)]
    except errors.ModelError as e:
        assert 'dense/kernel' in str(e)
        return
    assert drawn[0] == drawn[1]


def draws():
    """Digests of a draw each; the test below runs it in another process too."""
    ticket = make_ticket(seeded)
    drawn = [
        digest(reinit(ticket, Context(seeded(), seed, number, draw)))
        for seed, number, draw in [(0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 1, 0)]
    ]
    begun = [initial.initial_weights(build, 3) for build in (unseeded, recurrent)]
    texts = [architecture.to_json(build()) for build in (unseeded, recurrent, nets.nested)]
    return [*drawn, *(digests.digest(values) for values in (*begun, *texts))]


def test_equal_seeds_are_equal_draws_in_any_process():
    code = (
        'import json; from tests.conformance import test_controls as t; '
        't.unseeded(), t.recurrent(); print(json.dumps(t.draws()))'
    )
    here = draws()
    assert len(set(here)) == 9
    assert json.loads(nets.in_another_process(code).splitlines()[-1]) == here


def test_a_control_trains_under_the_ticket_s_mask():
    ticket = make_ticket(shared)
    made = reinit(ticket, Context(shared(), seed=0, round=3))
    model = made.apply(shared)
    assert read_mask(model) == ticket.mask
    assert nets.unlike(made.start(), wrapping.read(model)) == []
    assign_mask(model, read_mask(model))
    assert nets.unlike(made.start(), wrapping.read(model)) == []
