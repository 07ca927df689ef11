"""Writes the measured sections of docs/benchmarks.md, and its plots: SVG by matplotlib, the same bytes for the same figures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.submissions.build import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "plots"
STYLE: Any = {
    "svg.hashsalt": "splot",  # else every id in the file is new each time
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
}
COLOURS = {"splot": "#0072b2", "nbgrader": "#e69f00", "otter": "#009e73", "deserved": "#999999"}
"""Told apart by colour-blind people too (Okabe and Ito)."""


def picture(name: str, shows: str) -> str:
    """Return the Markdown of a plot."""
    return f"![{shows}](plots/{name}.svg)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put_section(name: str, content: str, page: Path = PAGE) -> None:
    """Replace what stands between the page's two comments of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page} has no {begin} … {end}")
    page.write_text(f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}", "utf-8")


@contextmanager
def plot(name: str, title: str, x: str, y: str, size: tuple[float, float] = (6.4, 3.0)) -> Iterator[Axes]:
    """Draw into docs/plots/NAME.svg."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.set(title=title, xlabel=x, ylabel=y)
        yield axes
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize="small")
        PLOTS.mkdir(exist_ok=True)
        figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None, "Creator": None})


def bars(axes: Axes, groups: Sequence[str], values: Mapping[str, Sequence[float | None]], form: str) -> None:
    """Draw horizontal bars, a series beside the other in each group, each with its figure; None is no bar."""
    height = 0.8 / len(values)
    for i, (series, numbers) in enumerate(values.items()):
        places = [place + (i - (len(values) - 1) / 2) * height for place in range(len(groups))]
        drawn = axes.barh(
            places, [number or 0 for number in numbers], height * 0.9, label=series, color=COLOURS[series]
        )
        labels = ["no grade" if number is None else format(number, form) for number in numbers]
        axes.bar_label(drawn, labels, padding=2, fontsize="x-small")
    axes.set_yticks(range(len(groups)), groups)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.1)
