"""LeNet-300-100, the fully-connected network of the paper."""

from lth_keras._compat import Model, layers, tf_keras


def lenet_300_100(input_shape: tuple[int, ...] = (28, 28, 1), classes: int = 10) -> Model:
    """Two hidden layers of 300 and 100 ReLU units, logits out: 266,200 weights on MNIST.

    Gaussian Glorot initialisation, zero biases. Kernels: 784*300 + 300*100 + 100*10 = 266,200;
    with biases 266,610.

    Args:
      input_shape: shape of one input, flattened first.
      classes: number of output units.

    >>> lenet_300_100().count_params()
    266610

    Source: LeCun et al. 1998; Frankle & Carbin 2019, section 2 and figure 2.
    """
    return tf_keras.Sequential(
        [
            layers.Flatten(input_shape=input_shape),
            layers.Dense(300, activation='relu', kernel_initializer='glorot_normal'),
            layers.Dense(100, activation='relu', kernel_initializer='glorot_normal'),
            layers.Dense(classes, kernel_initializer='glorot_normal'),
        ],
        name='lenet_300_100',
    )
