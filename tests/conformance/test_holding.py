"""The holding exam: a pruned weight is exactly 0.0 after every optimizer update.

`holds_exactly` trains a wrapped model by `fit` (and `train_on_batch`), prunes it once more in the
middle of training and goes on. After each batch no pruned weight may differ from +0.0, no slot of
one may hold anything (momentum, averages), and the survivors must have trained. tfmot's stock
wrapper, given the same masks, sits the exam and must fail it.
"""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, precisions
from lth_keras._compat import layers, tf_keras, tfmot
from lth_keras.batches import Batches
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, assign_mask, held_kernels, wrapping
from tests import nets

optimizers = tf_keras.optimizers
Policy = tf_keras.mixed_precision.Policy


class Failed(Exception):
    """The exam is not passed; the text says why."""


# -- the exam


def state_of(optimizer):
    """All variables of an optimizer; not by the package's own look-up, which is under exam."""
    optimizer = getattr(optimizer, 'inner_optimizer', optimizer)
    return list(optimizer.variables())


def inspect(kernels, masks, optimizer, when):
    """Raises Failed if a pruned weight or a slot of one holds anything; returns slots seen.

    Slots are told by their shape: no two kernels of an examined network have the same one.
    """
    seen = 0
    beginning = getattr(optimizer, 'initial_accumulator_value', 0.0)
    beginning = getattr(optimizer, '_initial_accumulator_value', beginning)  # legacy
    for path, weight in kernels.items():
        pruned = ~masks[path]
        for replica in getattr(weight, 'values', [weight]):
            values = replica.numpy()[pruned]
            if np.count_nonzero(values):
                raise Failed(f'{when}: {np.count_nonzero(values)} pruned weights of {path} moved')
            # An optimizer may write -0.0 later (FTRL does), the assignment may not.
            if 'assigned' in when and np.count_nonzero(np.signbit(values)):
                raise Failed(f'{when}: {path} holds -0.0')
        for slot in state_of(optimizer):
            if tuple(slot.shape) == tuple(weight.shape):
                seen += 1
                values = slot.numpy()[pruned]
                held = np.count_nonzero((values != 0) & (values != np.float32(beginning)))
                if held:
                    raise Failed(f'{when}: {held} pruned entries in {slot.name} of {path}')
    return seen


class Watch(tf_keras.callbacks.Callback):
    def __init__(self, kernels, masks):
        super().__init__()
        self.kernels, self.masks, self.looks = kernels, masks, 0

    def on_train_batch_end(self, batch, logs=None):
        inspect(self.kernels, self.masks, self.model.optimizer, f'batch {batch}')
        self.looks += 1


def holds_exactly(
    make_wrapped_model,
    optimizer,
    *,
    held=held_kernels,
    assign=assign_mask,
    x=None,
    loss=None,
    callbacks=(),
    strategy=None,
    slots=False,
    one_batch=False,
    engine=None,
    **options,
):
    """The exam; returns the trained model.

    `slots`: the optimizer keeps some for every kernel; `one_batch`: also trains by
    `train_on_batch`, which traces once more; `engine`: trains on Batches by that one.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = make_wrapped_model()
        model.compile(optimizer(), loss or nets.cross_entropy(), **options)
    kernels = {path: weight for path, weight, _ in held(model)}
    shapes = [tuple(weight.shape) for weight in kernels.values()]
    assert kernels and len(set(shapes)) == len(shapes)
    if x is None:
        x, _ = nets.examples(model.input_shape[1:], 64)
    y = np.arange(len(x)) % 3
    before = {path: weight.numpy() for path, weight in kernels.items()}
    masks = None
    for density in (0.6, 0.3):
        rng = np.random.default_rng(1)  # the second mask lies inside the first
        draws = {path: rng.random(weight.shape) for path, weight in kernels.items()}
        masks = Mask({path: draw < density for path, draw in draws.items()})
        assert all(0 < kept < masks.sizes[path] for path, kept in masks.survivors.items())
        assign(model, masks)
        inspect(kernels, masks, model.optimizer, f'density {density} assigned')
        watch = Watch(kernels, masks)
        if engine:
            data = {'x': Batches(x, y, batch_size=8, engine=engine)}
        else:
            data = {'x': x, 'y': y, 'batch_size': 8}
        model.fit(**data, epochs=2, verbose=0, callbacks=[watch, *callbacks])
        assert watch.looks >= 4
        seen = inspect(kernels, masks, model.optimizer, 'end of fit')
        if slots and seen < len(kernels):
            raise Failed(f'{seen} slots seen for {len(kernels)} kernels')
        for _ in range(2 if one_batch else 0):
            model.train_on_batch(x[:8], y[:8])
            inspect(kernels, masks, model.optimizer, 'train_on_batch')
    for path, weight in kernels.items():
        now, start = weight.numpy()[masks[path]], before[path][masks[path]]
        if not np.all(np.isfinite(now)) or np.mean(now != start) < 0.5:
            raise Failed(f'{path}: {np.mean(now != start):.0%} of the survivors were trained')
    return model


def wrapped(build=nets.dense):
    return lambda: PruningPolicy(rate=0.2).wrap(build)


def stock(build=nets.dense):
    never = tfmot.sparsity.keras.ConstantSparsity(0.0, begin_step=0, end_step=0)
    return tfmot.sparsity.keras.prune_low_magnitude(build(), never)


def held_by_stock(model):
    for layer in model.layers:
        for weight, mask, _ in layer.pruning_vars:
            yield f'{layer.layer.name}/kernel', weight, mask


def assign_to_stock(model, masks):
    for path, weight, mask in held_by_stock(model):
        mask.assign(masks[path].astype(np.float32))
        weight.assign(np.where(masks[path], weight.numpy(), np.float32(0)))


STOCK = {
    'held': held_by_stock,
    'assign': assign_to_stock,
    'callbacks': [tfmot.sparsity.keras.UpdatePruningStep()],
}


# -- optimizers

OPTIMIZERS = {
    'sgd': lambda: optimizers.SGD(0.1),
    'momentum': lambda: optimizers.SGD(0.1, momentum=0.9),
    'nesterov': lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    'adam': lambda: optimizers.Adam(0.01),
    'amsgrad': lambda: optimizers.Adam(0.01, amsgrad=True),
    'adamw': lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    'sgd decay': lambda: optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1),
    'rmsprop': lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    'adagrad': lambda: optimizers.Adagrad(0.1),
    'adadelta': lambda: optimizers.Adadelta(1.0),
    'adamax': lambda: optimizers.Adamax(0.01),
    'nadam': lambda: optimizers.Nadam(0.01),
    'ftrl': lambda: optimizers.Ftrl(0.1),
    'lion': lambda: optimizers.Lion(0.01),
    'legacy sgd': lambda: optimizers.legacy.SGD(0.1, momentum=0.9),
    'legacy adam': lambda: optimizers.legacy.Adam(0.01),
    'legacy adagrad': lambda: optimizers.legacy.Adagrad(0.1),
    'clipvalue': lambda: optimizers.Adam(0.01, clipvalue=0.1),
    'clipnorm': lambda: optimizers.Adam(0.01, clipnorm=0.1),
    'global_clipnorm': lambda: optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.1),
    'ema': lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9),
    'ema overwrites': lambda: optimizers.Adam(
        0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3
    ),
    'schedule': lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)),
}


COUSINS = ('nesterov', 'amsgrad', 'adadelta', 'adamax', 'nadam', 'legacy adagrad', 'clipvalue')


@pytest.mark.parametrize(
    'name',
    [pytest.param(n, marks=pytest.mark.slow) if n in COUSINS else n for n in OPTIMIZERS],
)
def test_holds_under_every_optimizer(name):
    holds_exactly(wrapped(), OPTIMIZERS[name], slots=name != 'sgd')


@pytest.mark.parametrize('name', ['sgd', 'adam', 'ema'])
def test_holds_by_train_on_batch(name):
    holds_exactly(wrapped(), OPTIMIZERS[name], slots=name != 'sgd', one_batch=True)


@pytest.mark.parametrize('name', ['adam', 'global_clipnorm'])
def test_holds_compiled(name):
    holds_exactly(wrapped(), OPTIMIZERS[name], slots=True, jit_compile=True)


def test_holds_with_several_steps_in_one_call():
    options = {'slots': True, 'steps_per_execution': 4}
    holds_exactly(wrapped(), OPTIMIZERS['adam'], **options)
    holds_exactly(wrapped(), OPTIMIZERS['adam'], jit_compile=True, **options)


def test_holds_in_eager_mode():
    holds_exactly(wrapped(), OPTIMIZERS['adamw'], slots=True, run_eagerly=True)


SLOW_ON_BATCHES = ('momentum', 'global_clipnorm', 'legacy adam')


@pytest.mark.parametrize(
    'name',
    ['adam', 'adamw', 'ema', *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW_ON_BATCHES)],
)
def test_holds_on_batches(name):
    holds_exactly(wrapped(), OPTIMIZERS[name], slots=True, engine='plain', one_batch=True)


@pytest.mark.parametrize('name', ['adamw', pytest.param('momentum', marks=pytest.mark.slow)])
def test_holds_on_batches_compiled(name):
    options = {'steps_per_execution': 3, 'jit_compile': True}
    holds_exactly(wrapped(), OPTIMIZERS[name], slots=True, engine='compiled', **options)


def test_holds_on_batches_in_other_networks():
    for build in (LAYERS['conv'][0], nets.noisy, nets.normalised):
        holds_exactly(wrapped(build), OPTIMIZERS['adam'], slots=True, engine='plain')


# -- the known-bad members


@pytest.mark.parametrize('name', ['sgd', 'momentum', 'adam', 'ema'])
def test_the_stock_wrapper_fails(name):
    with pytest.raises(Failed, match='batch 0'):
        holds_exactly(stock, OPTIMIZERS[name], **STOCK)


@pytest.mark.parametrize('engine', ['plain', 'compiled'])
def test_the_stock_wrapper_fails_on_batches(engine):
    with pytest.raises(Failed, match='batch 0'):
        holds_exactly(stock, OPTIMIZERS['adam'], engine=engine, **STOCK)


def test_a_wrapper_that_masks_at_the_end_of_an_epoch_fails():
    class EpochEnd(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for _, weight, mask in held_by_stock(self.model):
                weight.assign(weight * mask)

    with pytest.raises(Failed, match='batch 0'):
        options = {**STOCK, 'callbacks': [*STOCK['callbacks'], EpochEnd()]}
        holds_exactly(stock, OPTIMIZERS['sgd'], **options)


def test_a_product_instead_of_a_choice_fails():
    def times(model, masks):
        for path, weight, mask in held_kernels(model):
            mask.assign(masks[path].astype(np.float32))
            weight.assign(weight.numpy() * masks[path])

    with pytest.raises(Failed, match='-0.0'):
        holds_exactly(wrapped(), OPTIMIZERS['sgd'], assign=times)


def test_forgotten_slots_fail():
    def without_slots(model, masks):
        optimizer, model.optimizer = model.optimizer, None
        assign_mask(model, masks)
        model.optimizer = optimizer

    with pytest.raises(Failed, match='density 0.3 assigned: .* pruned entries'):
        holds_exactly(wrapped(), OPTIMIZERS['adam'], assign=without_slots)


def test_frozen_survivors_fail():
    with pytest.raises(Failed, match='survivors were trained'):
        holds_exactly(wrapped(), lambda: optimizers.SGD(0.0))


# -- regularisers and constraints

_regularizers, _constraints = tf_keras.regularizers, tf_keras.constraints


@pytest.mark.parametrize(
    'options',
    [
        {'kernel_regularizer': _regularizers.L1(0.01)},
        {'kernel_regularizer': _regularizers.L2(0.01)},
        {'kernel_regularizer': _regularizers.L1L2(0.01, 0.01)},
        {'kernel_constraint': _constraints.NonNeg()},
        {'kernel_constraint': _constraints.MaxNorm(0.5)},
        {'kernel_constraint': _constraints.MinMaxNorm(0.2, 0.5)},
        {'kernel_constraint': _constraints.UnitNorm()},
    ],
    ids=lambda options: type(next(iter(options.values()))).__name__,
)
def test_holds_with_harmless_penalties(options):
    holds_exactly(wrapped(lambda: nets.dense(**options)), OPTIMIZERS['momentum'], slots=True)


REFUSED = {
    'OrthogonalRegularizer': lambda: layers.Dense(
        4, kernel_regularizer=_regularizers.OrthogonalRegularizer(0.1)
    ),
    'Tilt': lambda: layers.Dense(4, kernel_constraint=Tilt()),
    'RadialConstraint': lambda: layers.Conv2D(
        4, 3, kernel_constraint=_constraints.RadialConstraint()
    ),
    'pointwise': lambda: layers.SeparableConv2D(
        4, 3, pointwise_regularizer=_regularizers.OrthogonalRegularizer(0.1)
    ),
    'recurrent': lambda: layers.LSTM(
        4, recurrent_regularizer=_regularizers.OrthogonalRegularizer(0.1)
    ),
    'cell': lambda: layers.Bidirectional(layers.GRU(4, recurrent_constraint=Tilt())),
}


@tf_keras.utils.register_keras_serializable('tests')
class Tilt(_constraints.Constraint):
    def __call__(self, w):
        return w + 0.01

    def get_config(self):
        return {}


@pytest.mark.parametrize('name', REFUSED)
def test_whatever_moves_pruned_weights_is_refused_by_name(name):
    layer = REFUSED[name]()
    shape = (6, 6, 2) if 'Conv' in type(layer).__name__ else (6, 2)
    culprit = {'pointwise': 'OrthogonalRegularizer', 'recurrent': 'OrthogonalRegularizer'}
    culprit = culprit.get(name, 'Tilt' if name == 'cell' else name)
    model = tf_keras.Sequential([layers.Input(shape), layer, layers.Flatten(), layers.Dense(3)])
    with pytest.raises(errors.ModelError, match=culprit) as caught:
        PruningPolicy().wrap(model)
    path = {'cell': 'bidirectional', 'recurrent': 'lstm', 'pointwise': 'separable_conv2d'}
    path = path.get(name, 'conv2d' if name == 'RadialConstraint' else 'dense')
    assert f"'{path}'" in str(caught.value) and 'exclude' in str(caught.value)
    assert PruningPolicy(exclude=[f'{path}/*']).wrap(model).layers


# -- precision


def mixed(policy):
    def build():
        return tf_keras.Sequential(
            [
                layers.Input((6,)),
                layers.Dense(12, activation='relu', dtype=Policy(policy)),
                layers.Dense(9, activation='relu', dtype=Policy(policy)),
                layers.Dense(3, dtype='float32'),
            ]
        )

    return build


def share_of_short(model, dtype):
    """Share of the surviving weights below the head that a 16-bit number could hold."""
    values = [weight.numpy() for path, weight, _ in held_kernels(model) if 'dense_2' not in path]
    alive = np.concatenate([value[value != 0] for value in values])
    return np.mean(tf.cast(tf.cast(alive, dtype), tf.float32).numpy() == alive)


@pytest.mark.parametrize('jit', [False, True])
def test_holds_in_bfloat16(jit):
    build = wrapped(mixed('mixed_bfloat16'))
    model = holds_exactly(build, OPTIMIZERS['adam'], slots=True, jit_compile=jit)
    assert share_of_short(model, tf.bfloat16) < 0.1


def test_holds_in_float16_under_loss_scaling():
    def scaled():
        return tf_keras.mixed_precision.LossScaleOptimizer(optimizers.Adam(0.01))

    model = holds_exactly(wrapped(mixed('mixed_float16')), scaled, slots=True)
    assert share_of_short(model, tf.float16) < 0.1


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
def test_holds_on_batches_in_mixed_precision(precision):
    def scaled():
        return precisions.scaled(optimizers.Adam(0.01), precision)

    def build():
        return PruningPolicy().wrap(precisions.built(nets.dense, precision))

    model = holds_exactly(build, scaled, slots=True, engine='plain')
    policy = tf_keras.mixed_precision.Policy(f'mixed_{precision}')
    assert model.layers[0].layer.dtype_policy.name == policy.name


def test_inference_writes_nothing():
    model = wrapped(mixed('mixed_bfloat16'))()
    before = wrapping.read(model)
    model.predict(nets.examples()[0], verbose=0)
    model(nets.examples()[0], training=True)
    assert nets.unlike(before, wrapping.read(model)) == []
    assert share_of_short(model, tf.bfloat16) < 0.1


@pytest.mark.parametrize('dtype', ['float64', 'float16', 'bfloat16'])
def test_holds_in_one_other_precision(dtype):
    def build():
        return tf_keras.Sequential(
            [
                layers.Dense(10, activation='relu', input_shape=(6,), dtype=dtype),
                layers.Dense(3, dtype=dtype),
            ]
        )

    holds_exactly(wrapped(build), lambda: optimizers.SGD(0.1, momentum=0.9), slots=True)


# -- layers


class Scaled(layers.Dense):
    """A Dense of a user's own, which tfmot does not know."""

    def call(self, inputs):
        return 2.0 * super().call(inputs)


class Block(layers.Layer):
    """A layer of a user's own that is made of others."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.first, self.second = layers.Dense(units, 'relu'), layers.Dense(5)

    def build(self, shape):
        self.first.build(shape)
        self.second.build((*shape[:-1], self.units))
        super().build(shape)

    def call(self, inputs):
        return self.second(self.first(inputs))

    def get_config(self):
        return {**super().get_config(), 'units': self.units}


class Chain(layers.Layer):
    """The same, with the others in a list."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.parts = [layers.Dense(units, 'relu'), layers.Dense(5)]

    def build(self, shape):
        self.parts[0].build(shape)
        self.parts[1].build((*shape[:-1], self.units))
        super().build(shape)

    def call(self, inputs):
        return self.parts[1](self.parts[0](inputs))

    def get_config(self):
        return {**super().get_config(), 'units': self.units}


def sequential(shape, *parts):
    def build():
        return tf_keras.Sequential([layers.Input(shape), *(part() for part in parts)])

    return build


def shared():
    inputs = layers.Input((6,))
    twice = layers.Dense(6, activation='relu')
    return tf_keras.Model(inputs, layers.Dense(3)(twice(twice(inputs))))


def shared_model():
    inner = tf_keras.Sequential([layers.Dense(8, input_shape=(6,)), layers.Dense(6)])
    inputs = layers.Input((6,))
    return tf_keras.Model(inputs, layers.Dense(3)(inner(inner(inputs))))


def seq2seq():
    inputs = layers.Input((5, 4))
    _, state = layers.GRU(6, return_state=True)(inputs)
    y = layers.SimpleRNN(6, name='decoder')(inputs[:, :3, :2], initial_state=state)
    return tf_keras.Model(inputs, layers.Dense(3)(y))


def attention():
    x = inputs = layers.Input((5, 4))
    x = layers.MultiHeadAttention(2, 3)(x, x)
    return tf_keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


LAYERS = {
    'dense subclass': (
        sequential((6,), lambda: Scaled(8), lambda: layers.Dense(3)),
        ['scaled/kernel', 'dense/kernel'],
    ),
    'made of others': (
        sequential((6,), lambda: Block(8), lambda: layers.Dense(3)),
        ['block/first/kernel', 'block/second/kernel', 'dense/kernel'],
    ),
    'list of others': (
        sequential((6,), lambda: Chain(8), lambda: layers.Dense(3)),
        ['chain/parts/0/kernel', 'chain/parts/1/kernel', 'dense/kernel'],
    ),
    'conv': (
        sequential(
            (6, 6, 2),
            lambda: layers.Conv2D(4, 3),
            lambda: layers.DepthwiseConv2D(2),
            layers.Flatten,
            lambda: layers.Dense(3),
        ),
        ['conv2d/kernel', 'dense/kernel'],
    ),
    'conv transpose': (
        sequential(
            (3, 3, 2),
            lambda: layers.Conv2DTranspose(4, 3, strides=2),
            layers.GlobalAveragePooling2D,
            lambda: layers.Dense(3),
        ),
        ['conv2d_transpose/kernel', 'dense/kernel'],
    ),
    'separable': (
        sequential(
            (6, 6, 2),
            lambda: layers.SeparableConv2D(4, 3),
            layers.Flatten,
            lambda: layers.Dense(3),
        ),
        ['separable_conv2d/pointwise_kernel', 'dense/kernel'],
    ),
    'one dimension': (
        sequential(
            (7, 2),
            lambda: layers.Conv1D(4, 3),
            lambda: layers.SeparableConv1D(5, 2),
            lambda: layers.LocallyConnected1D(3, 2),
            layers.Flatten,
            lambda: layers.Dense(3),
        ),
        [
            'conv1d/kernel',
            'separable_conv1d/pointwise_kernel',
            'locally_connected1d/kernel',
            'dense/kernel',
        ],
    ),
    'lstm': (
        sequential((4, 3), lambda: layers.LSTM(5), lambda: layers.Dense(3)),
        ['lstm/cell/kernel', 'lstm/cell/recurrent_kernel', 'dense/kernel'],
    ),
    'stacked cells': (
        sequential(
            (4, 3),
            lambda: layers.RNN([layers.LSTMCell(5), layers.GRUCell(4)]),
            lambda: layers.Dense(3),
        ),
        [
            'rnn/cell/cells/0/kernel',
            'rnn/cell/cells/0/recurrent_kernel',
            'rnn/cell/cells/1/kernel',
            'rnn/cell/cells/1/recurrent_kernel',
            'dense/kernel',
        ],
    ),
    'time distributed': (
        sequential(
            (4, 3),
            lambda: layers.TimeDistributed(layers.Dense(5)),
            layers.Flatten,
            lambda: layers.Dense(3),
        ),
        ['time_distributed/layer/kernel', 'dense/kernel'],
    ),
    'einsum': (
        sequential(
            (4, 3),
            lambda: layers.EinsumDense('abc,cd->abd', (None, 5), bias_axes='d'),
            layers.Flatten,
            lambda: layers.Dense(3),
        ),
        ['einsum_dense/kernel', 'dense/kernel'],
    ),
    'shared': (shared, ['dense/kernel', 'dense_1/kernel']),
    'shared model': (
        shared_model,
        ['sequential/dense/kernel', 'sequential/dense_1/kernel', 'dense/kernel'],
    ),
    'nested': (
        nets.nested,
        [
            'model/dense/kernel',
            'model/dense_1/kernel',
            'sequential/dense/kernel',
            'sequential/dense_1/kernel',
        ],
    ),
    'residual': (nets.residual, ['dense/kernel', 'dense_1/kernel', 'dense_2/kernel']),
    'rescaling': (
        sequential(
            (6,),
            lambda: layers.Rescaling(2.0),
            lambda: layers.Dense(8),
            layers.BatchNormalization,
            layers.UnitNormalization,
            lambda: layers.Dense(3),
        ),
        ['dense/kernel', 'dense_1/kernel'],
    ),
    'seq2seq': (
        seq2seq,
        [
            'gru/cell/kernel',
            'gru/cell/recurrent_kernel',
            'decoder/cell/kernel',
            'decoder/cell/recurrent_kernel',
            'dense/kernel',
        ],
    ),
    'attention': (attention, ['dense/kernel']),
}


RARE = ('one dimension', 'einsum', 'conv transpose', 'shared model')


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=pytest.mark.slow) if n in RARE else n for n in LAYERS]
)
def test_holds_in_every_layer(name):
    build, paths = LAYERS[name]
    given = build()
    model = PruningPolicy().wrap(given)
    assert [path for path, _, _ in held_kernels(model)] == paths
    x, _ = nets.examples(given.input_shape[1:])
    np.testing.assert_array_equal(model(x), given(x))
    holds_exactly(lambda: model, OPTIMIZERS['adam'], slots=True)


def test_holds_in_both_directions():
    """The two kernels of a Bidirectional have one shape, so each is looked at by itself."""
    build = sequential(
        (4, 3), lambda: layers.Bidirectional(layers.LSTM(5)), lambda: layers.Dense(3)
    )
    model = PruningPolicy().wrap(build)
    paths = [path for path, _, _ in held_kernels(model)]
    assert paths == [
        f'bidirectional/{side}_layer/cell/{kind}kernel'
        for side in ('forward', 'backward')
        for kind in ('', 'recurrent_')
    ] + ['dense/kernel']
    nets.compiled(model, optimizers.Adam(0.01))
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    before = wrapping.read(model)
    x, y = nets.examples((4, 3))
    model.fit(x, y, epochs=2, verbose=0)
    for path, weight, _ in held_kernels(model):
        now = weight.numpy()
        assert not np.count_nonzero(now[~mask[path]])
        assert np.all(now[mask[path]] != before[path][mask[path]])
    for slot in state_of(model.optimizer):
        shape = tuple(slot.shape)
        held = [mask[path] for path, weight, _ in held_kernels(model) if weight.shape == shape]
        if held:  # one of the masks of this shape must explain its zeros
            assert any(not np.count_nonzero(slot.numpy()[~kept]) for kept in held)


def test_keras_masks_reach_the_layer_inside():
    def build():
        return tf_keras.Sequential(
            [
                layers.Embedding(9, 4, mask_zero=True, input_length=6),
                layers.Dense(5),
                layers.LSTM(7, return_sequences=True),
                layers.SimpleRNN(6),
                layers.Dense(3),
            ]
        )

    given = build()
    model = PruningPolicy().wrap(given)
    x = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 1], [2, 0, 0, 0, 0, 0]])
    longer = np.where(x == 0, 5, x)
    np.testing.assert_array_equal(model(x), given(x))
    assert not np.array_equal(given(x), given(longer))  # the mask does matter


# -- files


def test_checkpoints_see_zeros(tmp_path):
    model = nets.compiled(wrapped()(), optimizers.Adam(0.01))
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    save = [
        tf_keras.callbacks.ModelCheckpoint(
            str(tmp_path / f'{{batch}}{end}'), save_freq=1, save_weights_only=end != '.keras'
        )
        for end in ('.weights.h5', '.keras')
    ]
    model.fit(*nets.examples(), batch_size=8, verbose=0, callbacks=save)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 10
    read = wrapped()()
    for name in names:
        if name.endswith('.keras'):
            read = tf_keras.models.load_model(tmp_path / name)
        else:
            read.load_weights(tmp_path / name)
        for path, weight, held in held_kernels(read):
            np.testing.assert_array_equal(held.numpy() != 0, mask[path])
            assert not np.count_nonzero(weight.numpy()[~mask[path]])
            assert np.count_nonzero(weight.numpy()[mask[path]])


# -- survivors


def by_hand(model, optimizer, mask, batches):
    """Masks the gradients of a plain model in a loop of our own."""

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = nets.cross_entropy()(y, model(x, training=True))
            loss += tf.add_n(model.losses) if model.losses else 0.0
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        kept = [masks.get(id(variable)) for variable in variables]
        optimizer.apply_gradients(
            (g if k is None else tf.where(k, g, 0.0), v)
            for g, k, v in zip(gradients, kept, variables, strict=True)
        )

    found = {path: layer.kernel for path, layer in zip(mask, model.layers, strict=True)}
    masks = {id(kernel): mask[path] for path, kernel in found.items()}
    for x, y in batches:
        step(x, y)
    optimizer.finalize_variable_values(model.trainable_variables)


@pytest.mark.parametrize('name', ['momentum', 'adamw', 'clipnorm', 'global_clipnorm', 'ema'])
def test_survivors_train_as_under_masked_gradients(name):
    def build():
        return nets.dense(kernel_regularizer='l2')

    plain = build()
    model = PruningPolicy().wrap(plain)
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    wrapping.assign(plain, wrapping.read(model))
    x, y = nets.examples()
    nets.compiled(model, OPTIMIZERS[name]()).fit(
        x, y, batch_size=8, epochs=3, shuffle=False, verbose=0
    )
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)] * 3
    by_hand(plain, OPTIMIZERS[name](), mask, batches)
    one, other = wrapping.read(model), wrapping.read(plain)
    for path in one:
        np.testing.assert_allclose(one[path], other[path], rtol=0, atol=1e-6)


def test_negative_and_zero_survivors_train():
    """What merely is 0 or negative is not pruned: only the mask says what is."""
    linear = tf_keras.Sequential([layers.Dense(3, input_shape=(6,))])
    model = PruningPolicy().wrap(linear)
    mask = nets.random_mask(model)
    path = 'dense/kernel'
    values = wrapping.read(model)
    values[path][:] = -np.abs(values[path])
    values[path][::2] = 0.0
    wrapping.assign(model, values)
    assign_mask(model, mask)
    nets.compiled(model, optimizers.SGD(0.1), run_eagerly=False)
    model.fit(*nets.examples(), batch_size=40, verbose=0)
    now = wrapping.read(model)[path]
    assert np.all(now[mask[path]] != values[path][mask[path]])
    assert not np.count_nonzero(now[~mask[path]])


def test_a_gradient_of_nan_does_not_reach_pruned_weights():
    linear = sequential((6,), lambda: layers.Dense(3))
    model = nets.compiled(PruningPolicy().wrap(linear), optimizers.SGD(0.1))
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    x, y = nets.examples(count=8)
    model.train_on_batch(np.full_like(x, np.nan), y)
    for path, weight, _ in held_kernels(model):
        assert not np.count_nonzero(weight.numpy()[~mask[path]])
        assert np.all(np.isnan(weight.numpy()[mask[path]]))


def test_penalties_still_count_once():
    def build():
        return tf_keras.Sequential(
            [
                layers.Dense(
                    8, input_shape=(4, 6), activity_regularizer='l2', kernel_regularizer='l1'
                ),
                layers.TimeDistributed(layers.Dense(5, activity_regularizer='l1')),
                layers.LSTM(4, activity_regularizer='l2', recurrent_regularizer='l2'),
                layers.Dense(3, bias_regularizer='l2', activity_regularizer='l1'),
            ]
        )

    given = build()
    model = PruningPolicy().wrap(given)
    x, y = nets.examples((4, 6))
    given(x), model(x)
    assert len(model.losses) == len(given.losses) > 5
    np.testing.assert_allclose(sum(model.losses), sum(given.losses), rtol=1e-6)
    losses = [
        nets.compiled(one, optimizers.SGD(0.1)).fit(x, y, shuffle=False, verbose=0).history['loss']
        for one in (given, model)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_frozen_layers_stay_frozen():
    def build():
        model = nets.dense()
        model.layers[0].trainable = False
        return model

    model = PruningPolicy().wrap(build)
    assert len(model.trainable_variables) == 2
    before = wrapping.read(model)
    nets.compiled(model, optimizers.AdamW(0.01)).fit(*nets.examples(), verbose=0)
    changed = nets.unlike(before, wrapping.read(model))
    assert changed == ['dense_1/kernel', 'dense_1/bias']


# -- several devices


def two_devices():
    """What the test below runs in a process of its own: devices are split before first use."""
    cpu = tf.config.list_physical_devices('CPU')[0]
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    assert strategy.num_replicas_in_sync == 2
    for name, options in [
        ('ema', {}),
        ('adam', {'steps_per_execution': 4}),
        ('adam', {'steps_per_execution': 4, 'engine': 'plain'}),
    ]:
        holds_exactly(wrapped(), OPTIMIZERS[name], strategy=strategy, slots=True, **options)
    print('held')


def test_holds_on_two_devices():
    code = 'from tests.conformance import test_holding; test_holding.two_devices()'
    assert nets.in_another_process(code).split()[-1] == 'held'
