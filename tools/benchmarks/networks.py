"""The networks of the benchmark, and the arithmetic of one training step from layer shapes."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Network:
    """One network as the papers train it, and how long its slices and its check are.

    Args:
      name: value of `--networks`.
      model: name in `lth_keras.models`.
      dataset: name in `lth_keras.data` whose shape the data have.
      shape: of one input.
      batch_size: examples per step.
      optimizer: name in `lth_keras.optimizers`.
      learning_rate: its learning rate.
      batches: steps per epoch of made data.
      quantum: the number of steps of a slice is a multiple of it.
      check: steps after which the contestants' weights are compared.
      tolerance: how far apart they may be then (see `judging.difference`).
      width: factor of the numbers of hidden units.
    """

    name: str
    model: str
    dataset: str
    shape: tuple[int, ...]
    batch_size: int
    optimizer: str
    learning_rate: float
    batches: int
    quantum: int
    check: int
    tolerance: float
    width: int = 1
    classes: int = 10

    def wider(self, width: int) -> 'Network':
        """The same with `width` times the hidden units.

        >>> NETWORKS['lenet'].wider(4).name
        'lenet x4'
        """
        return dataclasses.replace(self, name=f'{self.name} x{width}', width=width)


# The checks: as far as a wrong formula shows and rounding has not yet grown. The tolerances lie
# between the two: above what plain `fit` compiled and not compiled differ by after these steps,
# below what another epsilon, a rate that is off by a twentieth or missing momentum make
# (docs/performance.md has the reasoning, the tests the examples).
NETWORKS = {
    network.name: network
    for network in (
        Network(
            *('lenet', 'lenet_300_100', 'mnist', (28, 28, 1), 60, 'adam', 1.2e-3),
            batches=916,
            quantum=100,
            check=100,
            tolerance=2e-3,
        ),
        Network(
            *('conv_2', 'conv_2', 'cifar10', (32, 32, 3), 60, 'adam', 2e-4),
            batches=40,
            quantum=5,
            check=2,
            tolerance=3e-2,
        ),
        Network(
            *('resnet_20', 'resnet_20', 'cifar10', (32, 32, 3), 128, 'momentum', 0.1),
            batches=20,
            quantum=2,
            check=2,
            tolerance=0.1,
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Product:
    """What one layer multiplies per example: `positions` rows of `inputs` by (inputs, outputs).

    A dense layer has one position; a convolution one per pixel of its output, and as inputs the
    values under its kernel.
    """

    positions: int
    inputs: int
    outputs: int

    @property
    def flops(self) -> int:
        """Multiplications and additions, counted as two.

        >>> Product(1, 784, 300).flops
        470400
        """
        return 2 * self.positions * self.inputs * self.outputs


def step_flops(products: Sequence[Product], batch_size: int) -> int:
    """Arithmetic of the matrix products of one training step; nothing else is counted.

    Forward, gradients of weights, and gradients of inputs except those of the first layer.

    >>> lenet = [Product(1, 784, 300), Product(1, 300, 100), Product(1, 100, 10)]
    >>> step_flops(lenet, 60)  # 60 * 2 * (2 * 235,200 + 3 * 31,000)
    67608000
    """
    return batch_size * sum(p.flops * (3 if i else 2) for i, p in enumerate(products))


def forward_flops(products: Sequence[Product], examples: int) -> int:
    """The same of one forward pass.

    >>> forward_flops([Product(1, 784, 300)], 2)
    940800
    """
    return examples * sum(p.flops for p in products)
