"""A small dense network: is it sparsity, or would fewer units of the same network do as well?"""

from collections.abc import Callable

from lth_keras import architecture, errors, graph, initial, seeds
from lth_keras._compat import Model
from lth_keras.controls.base import Context, check_pruned, destroys, remade
from lth_keras.mask import Mask
from lth_keras.pruning.wrapping import built
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket

# Widths are found to 2**-HALVINGS. ResNet-20's layers get a unit more at multiples of 1/128, those
# of LeNet-300-100 at multiples of 1/600; each halving builds a network, which takes up to a second.
HALVINGS = 14


@destroys('architecture', 'mask', 'weights')
def small_dense(ticket: Ticket, context: Context) -> Ticket:
    """Small dense network: the same architecture, as narrow as the ticket is sparse.

    The widest network with trainable parameters(width) <= kept kernel weights + trainable
    parameters outside the mask, found by bisection of the width in (0, 1), to 2**-14. Its initial
    weights derive from (replicate seed, round, draw), its mask keeps all of the kernels that the
    ticket's mask names. The returned ticket's `architecture` is that of the small network, so it
    must be trained and counted as such; its provenance gains the width, as `width_factor`.

    The snapshot counts as one of the ticket's rewind step k, as for `reinit`, though the network
    was never trained: it gets the same number of updates as the ticket and the same part of the
    learning-rate schedule. Kernel paths stay; shapes, mask and weights do not.

    >>> import functools
    >>> from lth_keras._compat import layers, tf_keras
    >>> def network(width=1.0):
    ...     units = max(1, round(10 * width))
    ...     return tf_keras.Sequential([layers.Dense(units, input_shape=(4,)), layers.Dense(2)])
    >>> model = network()
    >>> mask = Mask({'dense/kernel': [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0]] * 4})
    >>> ticket = Ticket(mask, Snapshot(0, initial.initial_weights(network, 0)), {}, '')
    >>> resized = lambda width: functools.partial(network, width)
    >>> parameters(model, mask), ticket  # 16 of 40 kept, 20 in the output layer, 12 biases
    (48, <ticket: 16 of 40 weights in 1 kernels, rewinds to step 0>)
    >>> small_dense(ticket, Context(model, 0, 1, resized=resized))  # 4 * 6 + 6 * 2 + 8 biases: 44
    <ticket: 24 of 24 weights in 1 kernels, rewinds to step 0>

    Raises:
      ConfigError: a network without a width, or one whose narrowest has more parameters.
      MaskError: a mask without any kernel that is partly pruned, or of another model.
      ModelError: a narrower network with other kernels.

    Source: Zhu & Gupta, To Prune, or Not to Prune, 2017 (large-sparse against small-dense). They
    choose among a few given widths.
    """
    check_pruned(ticket, 'small_dense')
    if context.resized is None:
        raise errors.ConfigError(
            'small_dense: expected a network that can be made narrower, received one without a '
            'width; give its builder an argument `width`, or leave this control out'
        )
    shapes = {path: tuple(v.shape) for path, v in graph.variables(context.model).items()}
    ticket.mask.check_fits({path: shape for path, shape in shapes.items() if path in ticket.mask})
    width = _width(context.resized, parameters(context.model, ticket.mask))
    builder = context.resized(width)
    model = built(builder)
    seed = seeds.derive(context.seed, 'small_dense', context.round, context.draw)
    weights = initial.initial_weights(builder, seed)
    other = [path for path in (*weights, *shapes) if (path in weights) != (path in shapes)]
    if other:
        raise errors.ModelError(
            'small_dense: expected a narrower network of the same layers, received one that '
            f'differs in {other[0]!r}; `width` may change the size of layers only'
        )
    return remade(
        ticket,
        mask=Mask.ones({path: weights[path].shape for path in ticket.mask}),
        snapshot=Snapshot(ticket.snapshot.step, weights),
        architecture=architecture.to_json(model),
        provenance={**ticket.provenance, 'width_factor': width},
    )


def parameters(model: Model, mask: Mask | None = None) -> int:
    """Number of trainable parameters of a model; of kernels in the mask only what is kept."""
    trained = {id(variable) for variable in model.trainable_weights}
    kept = mask.survivors if mask is not None else {}
    return sum(
        kept.get(path, int(variable.shape.num_elements()))
        for path, variable in graph.variables(model).items()
        if id(variable) in trained
    )


def _width(resized: Callable[[float], Callable[[], Model]], most: int) -> float:
    """The largest width, to 2**-HALVINGS, of a network of at most so many parameters."""
    low, high = 2.0**-HALVINGS, 1.0
    narrowest = parameters(built(resized(low)))
    if narrowest > most:
        raise errors.ConfigError(
            f'small_dense: expected a network of at most {most:,} parameters, the narrowest has '
            f'{narrowest:,}; leave this control out of rounds as sparse as this one'
        )
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if parameters(built(resized(middle))) <= most:
            low = middle
        else:
            high = middle
    return low
