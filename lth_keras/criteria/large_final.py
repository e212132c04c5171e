"""Final magnitude: the criterion of the Lottery Ticket Hypothesis."""

import numpy as np

from lth_keras.criteria.base import Arrays, Evidence, criterion


@criterion('final')
def large_final(evidence: Evidence) -> Arrays:
    """Final magnitude: keeps the weights that end training far from zero.

    score = abs(w_final), per weight, >= 0.

    >>> large_final(Evidence(final={'a': np.array([-3.0, 0.0, 2.0])}))['a'].tolist()
    [3.0, 0.0, 2.0]

    Source: Frankle & Carbin, The Lottery Ticket Hypothesis, 2019 (section 2); called large_final
    by Zhou et al., Deconstructing Lottery Tickets, 2019.
    """
    return {path: np.abs(weights) for path, weights in evidence.final.items()}
