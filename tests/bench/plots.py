"""Draws the figures that are worth a picture, as SVG; where matplotlib is missing it draws nothing."""

from pathlib import Path

from msgspec import Struct

from tests.bench.figures import Part

try:
    from matplotlib import rcParams
    from matplotlib.figure import Figure
except ImportError:  # the tests' environment has none
    Figure = None  # type: ignore[assignment, misc]

_WIDTH_IN = 7.0
_BAR_IN = 0.32


class Plot(Struct, frozen=True):
    """Bars of one figure, for the cases of a part whose name ends so."""

    part: str
    figure: str
    label: str
    suffix: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.part}-{self.figure.replace('_', '-')}.svg"


_PLOTS = (
    Plot("receiver", "cpu_us", "CPU time a push, µs, 64 connections in a closed loop", ", closed loop"),
    Plot("receiver", "p99_ms", "acknowledged, p99 in ms, at 3,000 pushes/s", ", 3000/s"),
    Plot("worker", "together_us", "CPU time a push, worker and Postgres, µs"),
    Plot("worker", "pushes_per_s", "pushes/s at lag"),
    Plot("workers", "pushes_per_s", "pushes/s at lag"),
    Plot("growth", "pushes_per_s", "pushes/s at lag, by sessions already there"),
    Plot("growth", "wal_bytes", "WAL bytes a push, by sessions already there"),
)


def draw(parts: dict[str, Part], folder: Path) -> None:
    if Figure is None:
        return
    rcParams["svg.fonttype"] = "none"  # text stays text: small files
    rcParams["svg.hashsalt"] = "tccc-ingest"  # the same figures make the same file
    for plot in _PLOTS:
        if plot.part in parts:
            _draw(plot, parts[plot.part], folder / plot.file_name)


def _draw(plot: Plot, part: Part, file: Path) -> None:
    cases = {
        name.removesuffix(plot.suffix): found[plot.figure]
        for name, found in part.cases.items()
        if name.endswith(plot.suffix) and plot.figure in found
    }
    if not cases:
        return
    figure = Figure(figsize=(_WIDTH_IN, 0.8 + _BAR_IN * len(cases)), layout="constrained")
    axes = figure.subplots()
    medians = [found.median for found in cases.values()]
    spread = [
        [found.median - found.min for found in cases.values()],
        [found.max - found.median for found in cases.values()],
    ]
    axes.barh(list(cases), medians, xerr=spread, color="#4477aa", ecolor="#333333", capsize=2)
    axes.invert_yaxis()
    axes.set_xlabel(plot.label)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
