"""Plots as numbers for inline SVG: the templates draw them, so text stays text, in any size, theme and print."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 320.0, 200.0  # of the plotted area, in the SVG's own units
STYLES = 8
TICKS = 4
WILD = 8.0  # a value so many times the typical one is drawn at the edge, and the others stay readable

LARGEST = 1e12  # a loss beyond is drawn as this one

Curve = Sequence[float | None]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    value: float


@dataclass(frozen=True)
class Series:
    """One curve as SVG path data: the line, and its markers; `style` numbers colour, dash and marker."""

    name: str
    style: int
    line: str
    markers: str


@dataclass(frozen=True)
class Panel:
    """Curves over the epochs, on common axes."""

    title: str
    series: tuple[Series, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT


def panel(title: str, curves: Mapping[str, Curve], styles: Mapping[str, int], *, markers: bool = True) -> Panel | None:
    """Lay out curves by name; None where there is nothing to draw."""
    drawn = {name: curve for name, curve in curves.items() if any(_finite(value) for value in curve)}
    if not drawn:
        return None
    epochs = max(map(len, drawn.values()))
    ticks = _nice(*_range([_number(value) for curve in drawn.values() for value in curve]))
    low, high = ticks[0], ticks[-1]

    def place(epoch: int, value: float) -> tuple[float, float]:
        x = WIDTH / 2 if epochs == 1 else epoch / (epochs - 1) * WIDTH
        return round(x, 1), round((1 - (min(max(value, low), high) - low) / (high - low)) * HEIGHT, 1)

    series = []
    for name, curve in drawn.items():
        points = [place(epoch, value) if _finite(value) else None for epoch, value in enumerate(map(_number, curve))]
        style = styles[name] % STYLES
        series.append(Series(name, style, _line(points), _markers(points, style) if markers else ""))
    steps = range(0, epochs, max(1, math.ceil(epochs / 8)))
    return Panel(
        title,
        tuple(series),
        tuple(Tick(place(epoch, low)[0], epoch + 1) for epoch in steps),
        tuple(Tick(place(0, value)[1], value) for value in ticks),
    )


def marker(style: int) -> str:
    """Return the path of one marker of a style, around the origin."""
    return _MARKERS[style % STYLES]


def squares(rows: Sequence[Sequence[int]], levels: int, highest: int) -> list[str]:
    """Return, for each of `levels` shades of a grid of values 0…`highest`, the path of its unit squares."""
    paths = [""] * levels
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            paths[min(levels - 1, value * levels // (highest + 1))] += f"M{x} {y}h1v1h-1z"
    return paths


def histogram(values: Sequence[float], low: float, high: float, bins: int) -> list[int]:
    """Count values in `bins` equal parts of [low, high]; what lies beyond counts at the edge."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    return counts


def _number(value: float | None) -> float:
    return min(max(value, -LARGEST), LARGEST) if value is not None and _finite(value) else math.nan


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return what the axis must hold: all values but the wild ones."""
    ordered = sorted(value for value in values if math.isfinite(value))
    typical = abs(ordered[len(ordered) // 2]) or 1.0
    calm = [value for value in ordered if abs(value) <= WILD * typical] or [0.0]
    return calm[0], calm[-1]


def _nice(low: float, high: float) -> list[float]:
    """Return round numbers around [low, high], evenly apart (Heckbert, "Nice numbers for graph labels", 1990)."""
    span = max(high - low, abs(high) / 1e6, 1e-6)
    rough = span / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * 0.999)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _line(points: Sequence[tuple[float, float] | None]) -> str:
    path, pen = "", "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path += f"{pen}{point[0]:g} {point[1]:g}"
        pen = "L"
    return path


def _markers(points: Sequence[tuple[float, float] | None], style: int) -> str:
    """Return markers at every point of a short curve, else at about ten of them."""
    shape = _MARKERS[style]
    apart = max(1, len(points) // 10)
    return "".join(f"M{p[0]:g} {p[1]:g}{shape}" for index, p in enumerate(points) if p and index % apart == 0)


_MARKERS = (  # relative paths around the point the pen is at
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "m-3.2 -3.2h6.4v6.4h-6.4z",
    "m0 -4.2l4 7h-8z",
    "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
    "m-1.2 -4.2h2.4v3h3v2.4h-3v3h-2.4v-3h-3v-2.4h3z",
    "m0 4.2l4 -7h-8z",
    "m-4.5 -1.6h9v3.2h-9z",
    "m-1.6 -4.5h3.2v9h-3.2z",
)
