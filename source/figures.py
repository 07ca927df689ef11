# ruff: noqa: INP001  a script beside the notebook; a package here would be one more assignment to nbgrader
"""The notebook's six figures: `python source/figures.py` redraws and embeds them in source/cnn/cnn.ipynb.

Each figure is a PNG in a Markdown cell of its own, `figure_<name>`. Only the image's data URI is replaced: captions and
alternative texts are edited in the notebook. The same matplotlib gives the same bytes.
"""

import base64
import io
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

NOTEBOOK = Path(__file__).parent / "cnn" / "cnn.ipynb"
DPI = 130
# Told apart by lightness alone, so that the figures work in grey print too.
INK, RULE, LIGHT, MIDDLE, DARK = "#222222", "#999999", "#fde3b0", "#9fc3e6", "#1f4e79"
IMAGE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")

Box = tuple[int, int, int, int]  # first row, first column, height, width
Values = npt.NDArray[np.float64]


def correlate(image: Values, kernel: Values) -> Values:
    """Cross-correlate an (H, W) image with a (k, l) kernel: (H - k + 1, W - l + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    result: Values = (windows * kernel).sum(axis=(2, 3))
    return result


def panels(count: int, size: tuple[float, float], widths: list[float] | None = None) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of `size` inches and `count` axes in a row, without ticks, rows counted from the top."""
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, count, width_ratios=widths, squeeze=False)[0]
    for axes in row:
        axes.set_aspect("equal")
        axes.axis("off")
    return figure, list(row)


def draw_map(axes: Axes, values: Values, title: str, fills: dict[Box, str] | None = None, *, text: bool = True) -> None:
    """Draw an (H, W) map as a grid of cells, numbers in them, the boxes of `fills` coloured, later ones on top."""
    rows, columns = values.shape
    colours = np.full((rows, columns), "white", dtype=object)
    for (i, j, height, width), colour in (fills or {}).items():
        colours[i : i + height, j : j + width] = colour
    for i, j in product(range(rows), range(columns)):
        axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colours[i, j], edgecolor=RULE, linewidth=0.8))
        if text:
            colour = "white" if colours[i, j] == DARK else INK
            axes.text(j + 0.5, i + 0.5, f"{values[i, j]:g}", ha="center", va="center", fontsize=10, color=colour)
    frame(axes, (0, 0, rows, columns), RULE)
    axes.set(xlim=(-0.1, columns + 0.1), ylim=(rows + 0.1, -0.1))
    axes.set_title(title, fontsize=11, color=INK)


def frame(axes: Axes, box: Box, colour: str = INK, style: str = "-") -> None:
    """Outline a box of cells."""
    i, j, height, width = box
    outline = Rectangle((j, i), width, height, fill=False, edgecolor=colour, linestyle=style, linewidth=2, zorder=3)
    axes.add_patch(outline)


def sign(axes: Axes, symbol: str) -> None:
    """Write one large symbol into axes of its own."""
    axes.text(0.5, 0.5, symbol, ha="center", va="center", fontsize=28, color=INK, transform=axes.transAxes)


def connect(left: Axes, box: Box, right: Axes, target: Box) -> None:
    """Join a box's right corners to the target's left corners, across axes."""
    for row in (0, 1):
        start = (box[1] + box[3], box[0] + row * box[2])
        end = (target[1], target[0] + row * target[2])
        line = ConnectionPatch(
            start, end, "data", "data", axesA=left, axesB=right, color=INK, linewidth=1, linestyle=":"
        )
        left.figure.add_artist(line)


def convolution() -> Figure:
    """Show I ⋆ K = M on a binary mask: a frame and a filter that looks for its upper left corner."""
    image = np.zeros((7, 7))
    image[1:6, 1:6] = 1
    image[2:5, 2:5] = 0
    kernel = np.array([[1.0, 1, 1], [1, 0, 0], [1, 0, 0]])
    result = correlate(image, kernel)
    figure, axes = panels(5, (8.2, 3.2), [7, 1, 3, 1, 5])
    draw_map(axes[0], image, "obraz I, 7 × 7", {(1, 1, 3, 3): LIGHT})
    frame(axes[0], (1, 1, 3, 3))
    sign(axes[1], "⋆")
    draw_map(axes[2], kernel, "filtr K, 3 × 3", {(0, 0, 3, 3): LIGHT})
    frame(axes[2], (0, 0, 3, 3))
    sign(axes[3], "=")
    draw_map(axes[4], result, "mapa cech M, 5 × 5", {(1, 1, 1, 1): DARK})
    return figure


def receptive_field() -> Figure:
    """Show that one element after two 3 × 3 convolutions depends on 5 × 5 pixels."""
    figure, axes = panels(3, (8.2, 3.4), [7, 5, 3])
    draw_map(axes[0], np.zeros((7, 7)), "obraz", {(1, 1, 5, 5): LIGHT, (1, 3, 3, 3): MIDDLE}, text=False)
    draw_map(
        axes[1], np.zeros((5, 5)), "po 1. konwolucji\n3 × 3", {(1, 1, 3, 3): LIGHT, (1, 3, 1, 1): MIDDLE}, text=False
    )
    draw_map(axes[2], np.zeros((3, 3)), "po 2. konwolucji\n3 × 3", {(1, 1, 1, 1): DARK}, text=False)
    for axis, box in ((axes[0], (1, 1, 5, 5)), (axes[1], (1, 1, 3, 3))):
        frame(axis, box)
    frame(axes[0], (1, 3, 3, 3), DARK, "--")
    connect(axes[0], (1, 3, 3, 3), axes[1], (1, 3, 1, 1))
    connect(axes[1], (1, 1, 3, 3), axes[2], (1, 1, 1, 1))
    return figure


def pooling() -> Figure:
    """Show max and average pooling of one 4 × 4 map in 2 × 2 windows."""
    values = np.array([[1.0, 3, 2, 0], [5, 7, 4, 2], [0, 2, 6, 8], [1, 1, 9, 5]])
    windows = values.reshape(2, 2, 2, 2).swapaxes(1, 2)
    fills = {(0, 0, 2, 2): LIGHT, (0, 2, 2, 2): "white", (2, 0, 2, 2): "white", (2, 2, 2, 2): LIGHT}
    halves = {(i, j, 1, 1): fills[2 * i, 2 * j, 2, 2] for i, j in product(range(2), repeat=2)}
    figure, axes = panels(5, (8.2, 2.7), [4, 0.7, 2.4, 0.5, 2.4])
    draw_map(axes[0], values, "mapa 4 × 4", fills)
    for i, j in product((0, 2), repeat=2):
        frame(axes[0], (i, j, 2, 2))
    sign(axes[1], "→")
    draw_map(axes[2], windows.max(axis=(2, 3)), "max pooling", halves)
    draw_map(axes[4], windows.mean(axis=(2, 3)), "average pooling", halves)
    return figure


def stride_padding() -> Figure:
    """Show one image and filter with three choices of stride and padding, and the size of the map each gives."""
    figure, axes = panels(3, (8.2, 3.7))
    cases = ((1, 0, "stride=1, padding=0"), (2, 0, "stride=2, padding=0"), (1, 1, "stride=1, padding=1"))
    for axis, (stride, padding, title) in zip(axes, cases, strict=True):
        side = 5 + 2 * padding
        out = (side - 3) // stride + 1
        cells = np.zeros((side, side))
        draw_map(
            axis,
            cells,
            title,
            {(0, 0, side, side): "#dddddd", (padding, padding, 5, 5): "white", (0, 0, 3, 3): LIGHT},
            text=False,
        )
        for row, column in product(range(side), repeat=2):
            if padding and not (0 < row < side - 1 and 0 < column < side - 1):
                axis.text(column + 0.5, row + 0.5, "0", ha="center", va="center", fontsize=10, color=INK)
        frame(axis, (0, 0, 3, 3))
        frame(axis, (0, stride, 3, 3), DARK, "--")
        axis.text(side / 2, side + 0.5, f"mapa {out} × {out}", ha="center", va="top", fontsize=11, color=INK)
        axis.set_xlim(-1.1 + padding, 6.1 + padding)
        axis.set_ylim(8.4, -0.1)
    return figure


def dilation() -> Figure:
    """Show the nine weights of a 3 × 3 filter, one, two and three pixels apart."""
    figure, axes = panels(3, (8.2, 3.0))
    for step, axis in enumerate(axes, start=1):
        side = 2 * step + 1
        first = (7 - side) // 2
        weights = {(first + step * a, first + step * b, 1, 1): DARK for a, b in product(range(3), repeat=2)}
        window = {(first, first, side, side): LIGHT}
        draw_map(axis, np.zeros((7, 7)), f"dilation={step}: okno {side} × {side}", window | weights, text=False)
        frame(axis, (first, first, side, side))
    return figure


def architecture() -> Figure:
    """Draw a whole network: three convolutional blocks, global average pooling, a linear classifier."""
    figure, (axes,) = panels(1, (8.2, 3.1))
    stages = (
        (0.0, 2.8, 1, "obraz\n28 × 28 × 1"),
        (4.2, 2.0, 3, "14 × 14 × 16"),
        (7.8, 1.4, 5, "7 × 7 × 32"),
        (11.2, 0.8, 7, "3 × 3 × 64"),
    )
    for (x, side, sheets, label), colour in zip(stages, (LIGHT, MIDDLE, MIDDLE, MIDDLE), strict=True):
        for sheet in reversed(range(sheets)):
            corner = (x + 0.14 * sheet, -side / 2 - 0.14 * sheet)
            axes.add_patch(Rectangle(corner, side, side, facecolor=colour, edgecolor=INK, linewidth=0.8))
        axes.text(x + side / 2, 1.75, label, ha="center", va="top", fontsize=9, color=INK)
    for x, count, label in ((14.6, 16, "wektor\n64"), (17.2, 10, "10 klas")):
        for k in range(count):
            axes.add_patch(Rectangle((x, (k - count / 2) * 0.2), 0.35, 0.2, facecolor=DARK, edgecolor="white"))
        axes.text(x + 0.17, 1.75, label, ha="center", va="top", fontsize=9, color=INK)
    block = "konwolucja\nReLU\npooling"
    for start, end, label in (
        (2.9, 4.1, block),
        (6.6, 7.7, block),
        (9.9, 11.1, block),
        (13.1, 14.5, "GAP"),
        (15.1, 17.1, "warstwa\nliniowa"),
    ):
        axes.annotate("", (end, 0), (start, 0), arrowprops={"arrowstyle": "-|>", "color": INK})
        axes.text((start + end) / 2, -2.1, label, ha="center", va="center", fontsize=9, color=INK)
    axes.set(xlim=(-0.2, 17.9), ylim=(2.9, -2.8))
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "convolution": convolution,
    "receptive_field": receptive_field,
    "pooling": pooling,
    "stride_padding": stride_padding,
    "dilation": dilation,
    "architecture": architecture,
}


def render(name: str) -> bytes:
    """Draw one figure as PNG, whatever the user's matplotlib settings; the same bytes each time."""
    with mpl.rc_context(), io.BytesIO() as file:
        mpl.rcdefaults()
        FIGURES[name]().savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()


def embed(path: Path = NOTEBOOK) -> None:
    """Replace the image in each `figure_<name>` cell of a notebook; the rest of the file stays as it is."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    cells = {cell.id: cell for cell in notebook.cells}
    for name in FIGURES:
        uri = "data:image/png;base64," + base64.b64encode(render(name)).decode()
        cell = cells[f"figure_{name}"]
        cell.source = IMAGE.sub(uri, cell.source, count=1)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    embed()
