"""Figures of a report: one file each, one line here."""

from lth_keras.registry import Registry
from lth_keras.report.figures.base import ReportFigure
from lth_keras.report.figures.density import Accuracy, EarlyStop
from lth_keras.report.figures.distributions import Distributions
from lth_keras.report.figures.forest import Forest
from lth_keras.report.figures.gap import Gap
from lth_keras.report.figures.layers import Layers
from lth_keras.report.figures.learning import AccuracyOnTest, ValidationAccuracy, ValidationLoss
from lth_keras.report.figures.overlap import Overlap
from lth_keras.report.figures.pixels import Pixels
from lth_keras.report.figures.times import Times

FIGURES = Registry(
    'figure',
    [
        *(Forest, Accuracy, EarlyStop, ValidationAccuracy, ValidationLoss, AccuracyOnTest),
        *(Gap, Layers, Distributions, Overlap, Pixels, Times),
    ],
)

__all__ = ['FIGURES', 'ReportFigure']
