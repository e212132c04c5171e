"""The exam of the controls: exactly the declared ingredients are destroyed, reproducibly.

Every member of the registry sits it. Controls that change nothing, change too much, miscount, or
depend on what the process did before sit it too and must fail it.
"""

import dataclasses
import functools
import json
import math

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import architecture, digests, errors, graph, initial, seeds
from lth_keras._compat import layers, tf_keras
from lth_keras.controls import CONTROLS, Context, destroys
from lth_keras.controls.small_dense import parameters
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


def sized(width=1.0):
    """Batch normalisation, and a layer that is never pruned."""
    units = [max(1, round(width * full)) for full in (12, 8)]
    return tf_keras.Sequential(
        [
            layers.Dense(units[0], use_bias=False, input_shape=(6,)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(units[1], activation='relu', name='hidden'),
            layers.Dense(3),
        ]
    )


def sized_images(width=1.0):
    """Branches that meet, and a kernel whose outputs have no width."""
    channels = max(1, round(width * 8))
    x = inputs = layers.Input((4, 4, 2))
    x = layers.Conv2D(channels, 3, padding='same', name='stem')(x)
    y = layers.DepthwiseConv2D(3, padding='same', name='depthwise')(x)
    y = layers.Conv2D(channels, 1, name='pointwise')(layers.BatchNormalization(name='norm')(y))
    x = layers.Flatten()(layers.Add()([x, y]))
    return tf_keras.Model(inputs, layers.Dense(3, name='logits')(x))


SIZED = [sized, sized_images]
BUILDERS = [unseeded, seeded, shared, recurrent, separable, nets.nested, *SIZED]

# Counts that a random mask keeps: of the whole network only, else of every layer.
TOTAL_ONLY = {'random_mask_global'}


def sitting():
    """Every member on every network; those that resize it on networks that have a width."""
    for name, control in CONTROLS.items():
        for build in SIZED if 'architecture' in control.changes else BUILDERS:
            yield pytest.param(name, build, id=f'{name}-{build.__name__}')


def make_ticket(build, seed=5, density=0.5):
    """A trained ticket of half the weights, rewound to step 2 of a training that is made up."""
    model = build()
    values = initial.initial_weights(build, seed)
    wrapped = PruningPolicy().wrap(model)
    mask = nets.random_mask(wrapped, density)
    # An early step: every variable has moved a little.
    weights = {path: (value + 0.01).astype(value.dtype) for path, value in values.items()}
    snapshot = Snapshot(2, weights, (np.array(2), np.ones(3, np.float32)))
    text = architecture.to_json(model)
    return Ticket(mask, snapshot, {'round': 3}, text, early_stop=weights, final=weights)


def make_context(build, **options):
    resized = (lambda width: functools.partial(build, width)) if build in SIZED else None
    return Context(build(), **{'seed': 0, 'round': 3, 'resized': resized, **options})


def ingredients(ticket):
    """Digests of what a control may destroy; order counts."""
    parts = {
        'architecture': ticket.architecture,
        'mask': list(ticket.mask.items()),
        'weights': list(ticket.snapshot.weights.items()),
    }
    return {name: digests.digest(part) for name, part in parts.items()}


def digest(ticket):
    return digests.digest(ingredients(ticket))


def check(passed, why):
    if not passed:
        raise Failed(why)


def exam(control, build, declared=None, counts='layer'):
    """The exam; returns the control's ticket. `declared` is the control that declares for it."""
    declared = declared or control
    ticket, context = make_ticket(build), make_context(build)
    before, weights = digest(ticket), wrapping.read(context.model)
    tf_keras.utils.set_random_seed(1)
    made = control(ticket, context)
    untouched = digest(ticket) == before and not nets.unlike(weights, wrapping.read(context.model))
    check(untouched, 'the control changed what it was given')
    check(not made.trained and made.final is None, 'it has the trained weights of the ticket')
    check(made.snapshot.step == ticket.snapshot.step, 'another rewind step')
    origin = dict(made.provenance)
    factor = origin.pop('width_factor', None)
    check(origin == ticket.provenance, 'another provenance')
    check(list(made.mask) == list(ticket.mask), 'other kernels')
    check(list(made.snapshot.weights) == list(ticket.snapshot.weights), 'other variables')
    old, new = ingredients(ticket), ingredients(made)
    changed = {name for name in old if new[name] != old[name]}
    check(changed == declared.changes, f'{sorted(changed)} changed')
    if 'weights' in declared.changes:
        check(made.snapshot.optimizer is None, 'new weights with the slots of the old ones')
    else:
        check(made.snapshot.optimizer is ticket.snapshot.optimizer, 'other slots')
    if 'architecture' in declared.changes:
        check(factor is not None and 0 < factor < 1, 'no width_factor in the provenance')
        text = architecture.to_json(context.resized(factor)())
        check(text == made.architecture, 'a width_factor of another network')
        check_resized(made, ticket, context)
    else:
        check(factor is None, 'a width_factor of the same network')
        check_counts(made.mask, ticket.mask, counts)
        check_every_kernel(made, ticket, declared)
    for value in made.start().values():
        check(np.all(np.isfinite(value)), 'the start is not finite')
    build(), tf_keras.utils.set_random_seed(7)
    check(digest(control(ticket, context)) == digest(made), 'a second time it is another control')
    check_draws(control, declared, ticket, context, made)
    return made


def check_counts(mask, given, counts):
    check(mask.shapes == given.shapes, 'the mask has other shapes')
    check(mask.kept == given.kept, 'the mask has another total')
    if counts == 'layer':
        check(mask.survivors == given.survivors, 'the layers have other counts')
    check(min(mask.survivors.values()) > 0, 'a kernel is dead')


def check_every_kernel(made, ticket, declared):
    """No kernel still has the ingredient that was to go, where training would see it."""
    start, old = made.start(), ticket.start()
    for path, kept in ticket.mask.items():
        # A small kernel has few masks: an honest draw may be that of the ticket.
        if 'mask' in declared.changes and math.comb(kept.size, int(kept.sum())) > 1000:
            check(not np.array_equal(made.mask[path], kept), f'{path}: the mask of the ticket')
        both = kept & made.mask[path]
        if 'weights' in declared.changes and both.any():
            check(np.mean(start[path][both] == old[path][both]) < 0.1, f'{path}: old weights')


def check_resized(made, ticket, context):
    """A network of its own, dense, within the ticket's number of parameters."""
    check(made.mask == Mask.ones(made.mask.shapes), 'the small network is not dense')
    try:
        model = made.model('start')
    except errors.LotteryError as e:
        raise Failed('weights and architecture do not fit') from e
    count, most = parameters(model), parameters(context.model, ticket.mask)
    check(count <= most, f'{count} parameters instead of {most}')
    for width in np.arange(1, 96, 2) / 96:  # one between any two at which a layer gets a unit more
        other = _count(context.resized, float(width))
        check(other <= count or other > most, f'width {width} has {other} of {most}')


_counted = {}


def _count(resized, width):
    key = resized(width).func, width
    if key not in _counted:
        shapes = wrapping.read(resized(width)())
        moving = sum(v.size for path, v in shapes.items() if 'moving' in path)
        _counted[key] = sum(v.size for v in shapes.values()) - moving
    return _counted[key]


def check_draws(control, declared, ticket, context, made):
    """Another seed, draw or round draws anew whatever the control draws."""
    drawn = declared.changes
    if 'architecture' in drawn:
        drawn = {'weights'}  # the network and its mask of ones follow by counting
    here = ingredients(made)
    for changes in ({'seed': 1}, {'draw': 1}, {'round': 4}):
        other = ingredients(control(ticket, dataclasses.replace(context, **changes)))
        for name in drawn:
            if 'round' in changes and not declared.every_round:
                check(other[name] == here[name], f'another {name} in another round')
            else:
                check(other[name] != here[name], f'the same {name} for {changes}')


@pytest.mark.parametrize(('name', 'build'), sitting())
def test_every_control_destroys_what_it_declares(name, build):
    exam(CONTROLS.get(name), build, counts='total' if name in TOTAL_ONLY else 'layer')


@pytest.mark.parametrize('name', CONTROLS)
def test_every_control_says_when_there_is_nothing_to_destroy(name):
    """The mask of round 0 is that of no ticket; random re-initialisation works on it too."""
    ticket = make_ticket(sized)
    dense = dataclasses.replace(ticket, mask=Mask.ones(ticket.mask.shapes))
    control = CONTROLS.get(name)
    if 'mask' not in control.changes:
        assert (
            ingredients(control(dense, make_context(sized)))['mask'] == ingredients(dense)['mask']
        )
        return
    with pytest.raises(errors.MaskError, match=rf'^{name}: expected .* 192 of 192'):
        control(dense, make_context(sized))


@pytest.mark.parametrize('name', [name for name in CONTROLS if name != 'small_dense'])
def test_a_layer_that_is_not_pruned_stays_whole(name):
    ticket = make_ticket(sized)
    mask = Mask({**ticket.mask, 'dense_1/kernel': np.ones((8, 3), bool)})
    made = CONTROLS.get(name)(dataclasses.replace(ticket, mask=mask), make_context(sized))
    assert made.mask.kept == mask.kept
    if name not in TOTAL_ONLY:
        assert made.mask.survivors == mask.survivors


# -- the known-bad members, each with the control that it claims to be

BAD = []


def claims(name):
    def mark(function):
        BAD.append(pytest.param(function, name, id=f'{function.__name__}-for-{name}'))
        return function

    return mark


@claims('reinit')
@claims('random_mask')
@claims('random_mask_global')
@claims('random_sparse')
@claims('small_dense')
def nothing(ticket, context):
    return dataclasses.replace(ticket, early_stop=None, final=None)


def initializer_again(ticket, context):
    """Calls the layers' own initialisers again, which gives the same values again."""
    values = dict(ticket.snapshot.weights)
    for path, layer in graph.named_layers(context.model):
        for name in ('kernel', 'depthwise_kernel', 'pointwise_kernel'):
            if hasattr(layer, name):
                rule = getattr(layer, name.removesuffix('_kernel') + '_initializer')
                values[f'{path}/{name}'] = rule(getattr(layer, name).shape).numpy()
    return changed(ticket, weights=values)


def changed(ticket, weights=None, step=2, **others):
    """The ticket, untrained, with other weights or another mask."""
    if weights is not None:
        others['snapshot'] = Snapshot(step, weights)
    return dataclasses.replace(ticket, early_stop=None, final=None, **others)


@claims('reinit')
def one_layer_only(ticket, context):
    made = CONTROLS.get('reinit')(ticket, context)
    last = list(ticket.mask)[-1]
    return changed(made, {**made.snapshot.weights, last: ticket.snapshot.weights[last]})


@claims('reinit')
def pruned_only(ticket, context):
    """Draws weights anew that the mask hides."""
    made = CONTROLS.get('reinit')(ticket, context)
    weights = dict(made.snapshot.weights)
    for path, kept in ticket.mask.items():
        weights[path] = np.where(kept, ticket.snapshot.weights[path], weights[path])
    return changed(made, weights)


@claims('reinit')
def unseeded_draw(ticket, context):
    weights = {
        path: value + np.random.normal(size=value.shape).astype(value.dtype)
        for path, value in ticket.snapshot.weights.items()
    }
    return changed(ticket, weights)


@claims('reinit')
def one_draw_for_all(ticket, context):
    return CONTROLS.get('reinit')(ticket, dataclasses.replace(context, draw=0))


@claims('reinit')
@claims('random_mask')
def both(ticket, context):
    mask = Mask({path: kept[::-1] for path, kept in ticket.mask.items()})
    return changed(CONTROLS.get('reinit')(ticket, context), mask=mask)


@claims('reinit')
@claims('random_mask')
def sparser(ticket, context):
    mask = Mask({path: kept & kept[::-1] for path, kept in ticket.mask.items()})
    return changed(ticket, mask=mask)


@claims('reinit')
def in_place(ticket, context):
    for value in ticket.snapshot.weights.values():
        value += 0.1
    return changed(ticket)


@claims('reinit')
def from_zero(ticket, context):
    made = CONTROLS.get('reinit')(ticket, context)
    return changed(made, made.snapshot.weights, step=0)


@claims('reinit')
def with_old_slots(ticket, context):
    made = CONTROLS.get('reinit')(ticket, context)
    slots = ticket.snapshot.optimizer
    return dataclasses.replace(made, snapshot=Snapshot(2, made.snapshot.weights, slots))


@claims('random_mask')
def trained_on(ticket, context):
    """Keeps the weights that the ticket was trained to, which are of another network."""
    return dataclasses.replace(ticket, mask=CONTROLS.get('random_mask')(ticket, context).mask)


def masked(ticket, seed_of, count=None):
    """A random mask by the given rules for its seeds and counts; snapshot as it was."""
    arrays = {}
    for number, (path, kept) in enumerate(ticket.mask.items()):
        n = int(kept.sum()) + (count(number) if count else 0)
        order = np.random.default_rng(seed_of(path)).permutation(kept.size)
        arrays[path] = (order < n).reshape(kept.shape)
    return changed(ticket, mask=Mask(arrays))


def _seed(context, path, *key):
    return seeds.derive(context.seed, 'bad', context.draw, path, *key)


@claims('random_mask')
@claims('shuffled_mask')
def ignores_the_seed(ticket, context):
    path_of = functools.partial(_seed, dataclasses.replace(context, seed=0))
    return masked(ticket, lambda path: path_of(path, context.round))


@claims('random_mask')
def ignores_the_draw(ticket, context):
    return masked(ticket, functools.partial(_seed, dataclasses.replace(context, draw=0)))


@claims('shuffled_mask')
@claims('random_mask_global')
def ignores_the_round(ticket, context):
    return masked(ticket, functools.partial(_seed, context))


@claims('random_mask')
def not_nested(ticket, context):
    return masked(ticket, lambda path: _seed(context, path, context.round))


@claims('random_mask')
@claims('random_mask_global')
def off_by_one(ticket, context):
    return masked(ticket, functools.partial(_seed, context), lambda number: -(number == 0))


@claims('random_mask')
@claims('shuffled_mask')
def off_by_one_in_two_layers(ticket, context):
    move = {0: -1, 1: 1}
    return masked(
        ticket,
        lambda path: _seed(context, path, context.round),
        lambda number: move.get(number, 0),
    )


@claims('random_mask')
def unseeded_order(ticket, context):
    return masked(ticket, lambda path: np.random.randint(2**31))


@claims('random_mask')
def one_mask_only(ticket, context):
    first, *rest = ticket.mask
    made = masked(ticket, functools.partial(_seed, context))
    return changed(
        ticket, mask=Mask({first: made.mask[first], **{p: ticket.mask[p] for p in rest}})
    )


@claims('random_mask')
def redraws_biases(ticket, context):
    made = masked(ticket, functools.partial(_seed, context))
    weights = {p: v if p in ticket.mask else v + 1 for p, v in made.snapshot.weights.items()}
    return changed(made, weights)


@claims('random_mask')
def masks_the_snapshot(ticket, context):
    """Zeros in the snapshot where the ticket prunes: the weights that come back are gone."""
    return masked(changed(ticket, ticket.start()), functools.partial(_seed, context))


@claims('random_mask_global')
def kills_a_kernel(ticket, context):
    """The total is right, and one kernel is empty."""
    made = masked(ticket, lambda path: _seed(context, path, context.round))
    arrays = {path: kept.copy() for path, kept in made.mask.items()}
    first, *_, last = arrays
    lost, arrays[last] = arrays[last].sum(), np.zeros_like(arrays[last])
    empty = np.flatnonzero(~arrays[first])[:lost]
    arrays[first].reshape(-1)[empty] = True
    return changed(made, mask=Mask(arrays))


@claims('random_sparse')
def only_weights(ticket, context):
    return CONTROLS.get('reinit')(ticket, context)


@claims('random_sparse')
def one_mask_for_all_draws(ticket, context):
    made = CONTROLS.get('shuffled_mask')(ticket, dataclasses.replace(context, draw=0))
    return CONTROLS.get('reinit')(made, context)


def narrow(ticket, context, width, mask=None):
    """A small dense network of this width, with weights from the seed of the control."""
    builder = context.resized(width)
    key = context.seed, 'small', context.round, context.draw
    weights = initial.initial_weights(builder, seeds.derive(*key))
    return changed(
        ticket,
        weights,
        mask=mask or Mask.ones({path: weights[path].shape for path in ticket.mask}),
        architecture=architecture.to_json(builder()),
        provenance={**ticket.provenance, 'width_factor': width},
    )


@claims('small_dense')
def too_wide(ticket, context):
    return narrow(ticket, context, 0.9)


@claims('small_dense')
def too_narrow(ticket, context):
    return narrow(ticket, context, 0.3)


def _without_first(mask):
    return {path: np.arange(kept.size).reshape(kept.shape) > 0 for path, kept in mask.items()}


@claims('small_dense')
def small_sparse(ticket, context):
    made = CONTROLS.get('small_dense')(ticket, context)
    arrays = {
        path: np.arange(kept.size).reshape(kept.shape) > 0 for path, kept in made.mask.items()
    }
    return changed(made, mask=Mask(arrays))


@claims('small_dense')
def of_the_old_architecture(ticket, context):
    made = CONTROLS.get('small_dense')(ticket, context)
    return dataclasses.replace(made, architecture=ticket.architecture)


@claims('small_dense')
def of_a_network_that_does_not_fit(ticket, context):
    made = CONTROLS.get('small_dense')(ticket, context)
    text = architecture.to_json(context.resized(0.2)())
    origin = {**made.provenance, 'width_factor': 0.2}
    return dataclasses.replace(made, architecture=text, provenance=origin)


@claims('small_dense')
def of_a_width_that_nobody_knows(ticket, context):
    made = CONTROLS.get('small_dense')(ticket, context)
    return dataclasses.replace(made, provenance=ticket.provenance)


@claims('small_dense')
def of_another_width_than_it_says(ticket, context):
    made = CONTROLS.get('small_dense')(ticket, context)
    return dataclasses.replace(made, provenance={**ticket.provenance, 'width_factor': 0.2})


@claims('small_dense')
def small_of_one_draw(ticket, context):
    return CONTROLS.get('small_dense')(ticket, dataclasses.replace(context, draw=0))


@pytest.mark.parametrize(('bad', 'name'), BAD)
def test_bad_controls_fail(bad, name):
    counts = 'total' if name in TOTAL_ONLY else 'layer'
    with pytest.raises(Failed):
        exam(bad, sized, CONTROLS.get(name), counts)


def test_the_bad_ones_are_nearly_good():
    """The rules that bad masks are made with pass when nothing is wrong with them."""

    def nested(ticket, context):
        return masked(ticket, functools.partial(_seed, context))

    exam(nested, sized, CONTROLS.get('random_mask'))
    exam(not_nested, sized, CONTROLS.get('shuffled_mask'))
    exam(CONTROLS.get('shuffled_mask'), sized, CONTROLS.get('random_mask_global'), 'total')


def test_calling_the_initialiser_again_fails():
    """The trap: a Keras initialiser that is called again returns what it returned before."""

    def at_step_0(ticket, context):
        values = wrapping.read(context.model)
        made = initializer_again(ticket, context)
        assert nets.unlike(values, {**values, **_kernels(made, ticket.mask)}) == []
        return made

    with pytest.raises(Failed):
        exam(at_step_0, seeded, CONTROLS.get('reinit'))


def _kernels(ticket, mask):
    return {path: ticket.snapshot.weights[path] for path in mask}


def test_declarations_are_checked():
    with pytest.raises(ValueError, match='expected ingredients among'):
        destroys('masks')
    with pytest.raises(ValueError, match='expected ingredients among'):
        destroys()


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
    one, context = make_ticket(sized), make_context(sized)
    drawn += [digest(control(one, context)) for control in CONTROLS.values()]
    begun = [initial.initial_weights(build, 3) for build in (unseeded, recurrent)]
    texts = [architecture.to_json(build()) for build in (unseeded, recurrent, nets.nested)]
    return [*drawn, *(digests.digest(values) for values in (*begun, *texts))]


def test_equal_seeds_are_equal_draws_in_any_process():
    code = (
        'import json; from tests.conformance import test_controls as t; '
        't.unseeded(), t.recurrent(); print(json.dumps(t.draws()))'
    )
    here = draws()
    assert len(set(here)) == 9 + len(CONTROLS)
    assert json.loads(nets.in_another_process(code).splitlines()[-1]) == here


@pytest.mark.parametrize('name', CONTROLS)
def test_a_control_trains_under_its_mask(name):
    """Also the small dense network, which `model` makes and no builder of the experiment."""
    made = CONTROLS.get(name)(make_ticket(sized), make_context(sized))
    model = made.apply(made.model('start'))
    assert read_mask(model) == made.mask
    assert nets.unlike(made.start(), wrapping.read(model)) == []
    assign_mask(model, read_mask(model))
    assert nets.unlike(made.start(), wrapping.read(model)) == []
