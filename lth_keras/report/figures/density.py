"""What tickets and controls reach at each density."""

from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.axes import density_axis
from lth_keras.report.figures.base import ReportFigure, upper
from lth_keras.report.plots import DENSE, accuracy_panel, caption, early_stop_panel


class Accuracy(ReportFigure):
    """Test accuracy at the early-stop iteration against density: ticket, controls, dense."""

    name = 'accuracy'
    title = 'Test accuracy at early stop'
    panel = staticmethod(accuracy_panel)

    def draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        type(self).panel(axes, self.book.summaries)
        density_axis(axes, [s.density for s in self.book.summaries], self.size[0])
        style.legend(figure, axes, self.size[0], 8.5, last=DENSE)

    @property
    def caption(self) -> str:
        return f'{upper(caption(self.book.summaries))}.'


class EarlyStop(Accuracy):
    """Early-stop iteration against density: ticket, controls, dense."""

    name = 'early_stop'
    title = 'Early-stop iteration (minimum validation loss)'
    panel = staticmethod(early_stop_panel)
