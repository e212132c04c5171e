"""`PruningPolicy`: which kernels may be pruned, at which rate, in which scope."""

import dataclasses
import fnmatch
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lth_keras import allocation, criteria, errors, graph
from lth_keras._compat import Model, PruneRegistry, tfmot
from lth_keras.mask import Mask
from lth_keras.pruning import holding, wrapping
from lth_keras.pruning.kernels import Kernel, kernels, kernels_of
from lth_keras.schedules import Counting


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a policy decided on one kernel: its rate, or the reason why it is left alone."""

    path: str
    kind: str
    shape: tuple[int, ...]
    rate: float
    reason: str = ''

    @property
    def pruned(self) -> bool:
        """Whether the kernel is in the policy's masks."""
        return not self.reason


class PruningPolicy(tfmot.sparsity.keras.PruningPolicy):
    """Which kernels may be pruned, at which rate per round, and where their scores compete.

    A round removes round(rate * survivors) weights, per kernel (`layerwise`) or over all of them
    (`global`), the lowest scores first. Biases, normalisation parameters, depthwise kernels and
    embeddings are never pruned.

    Args:
      rate: share of the survivors that a round removes, in [0, 1).
      conv_rate: the same for convolution kernels; `rate` if None.
      output_rate: for the last kernel on each path to a model output; if None, half of `rate`
        layer-wise (the paper's rule for fully-connected and Conv-n networks) and `rate` globally.
      shortcut_rate: for 1x1 convolutions around a residual block; `conv_rate` if None.
      scope: 'layerwise' or 'global'. Global takes one rate; kinds of rate 0 leave the pool.
      include: kernel paths or glob patterns; if given, only these may be pruned.
      exclude: kernel paths or glob patterns that may not be pruned.
      criterion: name of a criterion, or a function `Evidence -> kernel path -> score`.
      rounding: how shares become counts, one of `lth_keras.allocation.ROUNDINGS`.

    >>> import tf_keras
    >>> model = tf_keras.Sequential([
    ...     tf_keras.layers.Dense(20, input_shape=(10,)), tf_keras.layers.Dense(5)])
    >>> policy = PruningPolicy(rate=0.2)
    >>> wrapped = policy.wrap(lambda: model)
    >>> mask = policy.prune(wrapped, verbose=0)
    >>> mask.survivors
    {'dense/kernel': 160, 'dense_1/kernel': 90}

    Raises:
      MaskError, ConfigError: a rate outside [0, 1), unequal rates in global scope, a pattern that
        matches no kernel.

    Source: Frankle & Carbin 2019. Differs from tfmot's policies, which choose layers only: masks
    are counted and computed here, between rounds, and never by tfmot's schedules.
    """

    def __init__(
        self,
        rate: float = 0.2,
        conv_rate: float | None = None,
        output_rate: float | None = None,
        shortcut_rate: float | None = None,
        scope: str = 'layerwise',
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        criterion: str | Callable = 'large_final',
        rounding: str = 'half_even',
    ):
        if scope not in allocation.SCOPES:
            raise errors.ConfigError(
                f'unknown scope {scope!r}: {errors.did_you_mean(scope, allocation.SCOPES)}'
            )
        half = allocation.fraction(rate, 'rate') / (1 if scope == 'global' else 2)
        conv = rate if conv_rate is None else conv_rate
        self.rates: dict[str, Any] = {
            'dense': allocation.fraction(rate, 'rate'),
            'conv': allocation.fraction(conv, 'conv_rate'),
            'output': half
            if output_rate is None
            else allocation.fraction(output_rate, 'output_rate'),
            'shortcut': allocation.fraction(
                conv if shortcut_rate is None else shortcut_rate, 'shortcut_rate'
            ),
        }
        self.scope = scope
        self.include = (include,) if isinstance(include, str) else tuple(include)
        self.exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)
        self.criterion = criteria.CRITERIA.get(criterion)
        self.rounding = rounding
        self._asked: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        allocation.ROUNDINGS.get(rounding)
        if scope == 'global' and len({r for r in self.rates.values() if r > 0}) > 1:
            raise errors.ConfigError(
                'global scope takes one rate: expected conv_rate, output_rate and shortcut_rate '
                f'to be equal to rate={rate} or 0 (left out), received '
                + ', '.join(f'{kind}={float(r)}' for kind, r in self.rates.items())
            )

    def __repr__(self) -> str:
        rates = ', '.join(f'{kind} {float(rate):g}' for kind, rate in self.rates.items())
        return f'<PruningPolicy: {self.scope}, {rates}>'

    # tfmot's own two questions, so that the policy also works with `prune_low_magnitude`.

    def allow_pruning(self, layer: Any) -> bool:
        """Whether tfmot may wrap this layer: the policy prunes it, and tfmot knows its class."""
        if layer in self._asked:
            wanted = self._asked[layer]
        else:  # a layer on its own has no path but its name
            found, _ = kernels_of(layer.name, layer)
            wanted = any(self._choose(kernel).pruned for kernel in found)
        return wanted and (hasattr(layer, 'get_prunable_weights') or PruneRegistry.supports(layer))

    def ensure_model_supports_pruning(self, model: Any) -> None:
        """Raises a ModelError unless the model is a built functional or Sequential one.

        tfmot asks this before it asks about the layers, which know neither path nor place.
        """
        graph.check_model(model)
        pruned = {choice.path for choice in self.choices(model) if choice.pruned}
        layers_of = {kernel.layer_path for kernel in kernels(model)[0] if kernel.path in pruned}
        for path, layer in graph.named_layers(model):
            self._asked[graph.unwrap(layer)] = path in layers_of

    def choices(self, model: Model) -> list[Choice]:
        """The decision on every kernel, in the order of the model's layers.

        Raises:
          ConfigError: a pattern of include or exclude that matches no kernel.
        """
        found, _ = kernels(model)
        for pattern in (*self.include, *self.exclude):
            if not any(fnmatch.fnmatchcase(kernel.path, pattern) for kernel in found):
                raise errors.ConfigError(
                    f'no kernel path matches {pattern!r}: '
                    f'{errors.did_you_mean(pattern, [k.path for k in found])}'
                )
        return [self._choose(kernel) for kernel in found]

    def _left_out(self, path: str) -> str:
        for pattern in self.exclude:
            if fnmatch.fnmatchcase(path, pattern):
                return f'excluded by {pattern!r}'
        if self.include and not any(fnmatch.fnmatchcase(path, p) for p in self.include):
            return 'not in include'
        return ''

    def _choose(self, kernel: Kernel) -> Choice:
        rate = self.rates[kernel.kind]
        reason = self._left_out(kernel.path)
        if not reason and rate == 0:
            reason = f'the rate of kind {kernel.kind!r} is 0'
        return Choice(kernel.path, kernel.kind, kernel.shape, float(rate), reason)

    def report(self, model: Callable[[], Model] | Model) -> str:
        """A table of what may be pruned at which rate, and what is left alone and why."""
        model = wrapping.built(model)
        _, reasons = kernels(model)
        rows = [
            f'  {c.path:<40} {c.kind:<9} {_shape(c.shape):<16} '
            + (f'rate {c.rate:g}' if c.pruned else f'left alone: {c.reason}')
            for c in self.choices(model)
        ]
        rows += [f'  {path:<40} left alone: {reason}' for path, reason in reasons.items()]
        return '\n'.join([f'pruning policy, {self.scope} scope', *rows, '  biases: left alone'])

    def wrap(self, build_model: Callable[[], Model] | Model) -> Model:
        """A copy of the builder's model whose kernels are held under masks of ones.

        The given model and its variables are left alone.

        Raises:
          ModelError: not a built functional or Sequential tf_keras model, no kernel that may be
            pruned, or a regulariser or constraint that would move pruned weights.
        """
        model = wrapping.built(build_model)
        chosen = {c.path for c in self.choices(model) if c.pruned}
        if not chosen:
            raise errors.ModelError(
                f'model {model.name!r} has no kernel that this policy may prune:\n'
                + self.report(model)
            )
        held: dict[str, list[str]] = {}
        for kernel in kernels(model)[0]:
            if kernel.path in chosen:
                holding.check_held_exactly(kernel.layer_path, kernel.owner, kernel.attribute)
                held.setdefault(kernel.layer_path, []).append(
                    '/'.join((*kernel.inside, kernel.attribute))
                )
        return wrapping.rebuilt(model, held)

    def counting(self, model: Model) -> Counting:
        """What the schedules need to know: sizes and rates of the kernels in the masks."""
        choices = self.choices(model)
        sizes = {kernel.path: kernel.size for kernel in kernels(model)[0]}
        return Counting(
            {c.path: sizes[c.path] for c in choices if c.pruned},
            {c.path: self.rates[c.kind] for c in choices if c.pruned},
            self.scope,
            self.rounding,
            sum(sizes[c.path] for c in choices if not c.pruned),
        )

    def prune(self, model: Model, snapshot: Any = None, verbose: int = 1) -> Mask:
        """Removes one round's share of the survivors from a wrapped model; returns the new mask.

        Pruned weights become +0.0, with their optimizer slots. Call it after training and before
        the rewind.

        Args:
          model: a model that `wrap` returned, trained.
          snapshot: rewound and initial weights (a `RewindCallback`), for criteria that need them.
          verbose: 1 prints what went where.

        Raises:
          MaskError: NaN or infinite weights, or nothing at all was pruned.
        """
        before = holding.read_mask(model)
        counting = self.counting(model)
        weights = {path: weight.numpy() for path, weight, _ in holding.held_kernels(model)}
        evidence = criteria.Evidence(
            initial=getattr(snapshot, 'initial', None),
            rewind=getattr(snapshot, 'weights', None),
            final=weights,
        )
        evidence.require(criteria.needs_of(self.criterion), self.criterion.__name__)
        pools = allocation.removals(
            before.survivors, counting.rates, self.scope, self.rounding, counting.outside
        )
        after = allocation.remove(self.criterion(evidence), before, pools)
        holding.assign_mask(model, after)
        if verbose:
            print(holding.describe(before, after))
        return after


def _shape(shape: Mapping | tuple[int, ...]) -> str:
    return 'x'.join(str(n) for n in shape)
