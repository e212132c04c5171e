"""The only import of tfmot and legacy Keras: what the rest of the package builds on.

tfmot lives on Keras 2, which is `tf_keras` beside current TensorFlow. Whatever is private in
either of them and used here is imported in this file: one clear sentence says when it moved.
"""

import contextlib
import os
from typing import Any

# tfmot sets this too, but only when it is imported first; set early, the order does not matter.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')


def _wide_vectors(processor: str) -> str:
    """XLA_FLAGS for a processor: vectors of 512 bits where those cost no clock rate.

    XLA prefers 256 bits even there; compiled steps of LeNet gain 6 %. Processors with bfloat16
    instructions are of a generation that no longer slows down for wide ones.

    >>> _wide_vectors('flags : fma avx512f avx512_bf16')
    '--xla_cpu_prefer_vector_width=512'
    """
    given = os.environ.get('XLA_FLAGS', '')
    if 'xla_cpu_prefer_vector_width' in given or 'avx512_bf16' not in processor:
        return given
    return f'{given} --xla_cpu_prefer_vector_width=512'.strip()


# Read by XLA when it first compiles. Other processes of a test or search inherit it.
with contextlib.suppress(OSError), open('/proc/cpuinfo') as _file:
    os.environ['XLA_FLAGS'] = _wide_vectors(_file.read())

try:
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import (
        PruneRegistry,
    )
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
        PruneLowMagnitude,
    )
    from tf_keras.src import backend
    from tf_keras.src.engine.data_adapter import ALL_ADAPTER_CLS, DataAdapter
    from tf_keras.src.layers.convolutional.base_conv import Conv
    from tf_keras.src.layers.convolutional.base_depthwise_conv import DepthwiseConv
    from tf_keras.src.layers.convolutional.base_separable_conv import SeparableConv
    from tf_keras.src.layers.core.tf_op_layer import TFOpLambda
    from tf_keras.src.mixed_precision.autocast_variable import enable_auto_cast_variables
    from tf_keras.src.optimizers.legacy.optimizer_v2 import _var_key as legacy_key
    from tf_keras.src.utils.generic_utils import to_snake_case
except ImportError as e:  # pragma: no cover - needs a broken installation
    raise ImportError(
        'lth_keras expects tensorflow 2.21, tf_keras 2.21 and tensorflow-model-optimization 0.8.1 '
        f'(see setup.cfg), but importing them failed: {e}'
    ) from e

layers = tf_keras.layers
Model = tf_keras.Model
Sequential = tf_keras.Sequential


def is_keras3_model(thing: object) -> bool:
    """True for a model of Keras 3, which tfmot cannot prune."""
    return any(
        base.__name__ in ('Model', 'Sequential', 'Functional')
        and base.__module__.split('.')[0] == 'keras'
        for base in type(thing).__mro__
    )


def is_graph_network(layer: object) -> bool:
    """True for a functional or built Sequential model: one whose graph of layers is known."""
    return isinstance(layer, Model) and bool(getattr(layer, '_is_graph_network', False))


def add_adapter(adapter: type[DataAdapter]) -> None:
    """Lets `Model.fit` and `Model.evaluate` take a kind of data that Keras does not know."""
    if adapter not in ALL_ADAPTER_CLS:
        ALL_ADAPTER_CLS.append(adapter)


def optimization_barrier(tensor: Any) -> Any:
    """The tensor itself, across which XLA moves nothing; only for compiled functions."""
    return gen_xla_ops.xla_optimization_barrier(input=[tensor])[0]


class seedable_generators:
    """Inside, random layers are made with generators that can be reseeded and that XLA honours.

    Legacy Keras generators ignore their seeds in compiled code. The user's setting is put back.
    """

    def __enter__(self) -> None:
        self._before = backend.is_tf_random_generator_enabled()
        backend.enable_tf_random_generator()

    def __exit__(self, *exception: object) -> None:
        if not self._before:
            backend.disable_tf_random_generator()


__all__ = [
    'Conv',
    'DataAdapter',
    'DepthwiseConv',
    'Model',
    'PruneLowMagnitude',
    'PruneRegistry',
    'SeparableConv',
    'Sequential',
    'TFOpLambda',
    'add_adapter',
    'backend',
    'enable_auto_cast_variables',
    'is_graph_network',
    'is_keras3_model',
    'layers',
    'legacy_key',
    'optimization_barrier',
    'seedable_generators',
    'tf_keras',
    'tfmot',
    'to_snake_case',
]
