"""Computes plots for inline SVG: scales, ticks and paths; the templates draw them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 320.0, 200.0  # of the plotted area, in the SVG's own units
TICKS = 4
OUTLIER = 8.0  # an outlier: a value this many times the typical one is drawn at the edge
LARGEST = 1e12  # a loss beyond is drawn as this one
MARKERS = (  # relative SVG paths around the current point
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "m-3.2 -3.2h6.4v6.4h-6.4z",
    "m0 -4.2l4 7h-8z",
    "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
    "m-1.2 -4.2h2.4v3h3v2.4h-3v3h-2.4v-3h-3v-2.4h3z",
    "m0 4.2l4 -7h-8z",
    "m-4.5 -1.6h9v3.2h-9z",
    "m-1.6 -4.5h3.2v9h-3.2z",
)

Curve = Sequence[float | None]
Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A tick of an axis: where it is, and the value there."""

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
    bounded = {
        name: [
            max(-LARGEST, min(value, LARGEST)) if value is not None and math.isfinite(value) else None
            for value in curve
        ]
        for name, curve in curves.items()
    }
    drawn = {name: curve for name, curve in bounded.items() if any(value is not None for value in curve)}
    if not drawn:
        return None
    epochs = max(map(len, drawn.values()))
    ticks = _ticks([value for curve in drawn.values() for value in curve if value is not None])
    low, high = ticks[0], ticks[-1]

    def x(epoch: int) -> float:
        return round(WIDTH / 2 if epochs == 1 else epoch / (epochs - 1) * WIDTH, 1)

    def y(value: float) -> float:
        return round((1 - (min(max(value, low), high) - low) / (high - low)) * HEIGHT, 1)

    series = []
    for name, curve in drawn.items():
        points = [None if value is None else (x(epoch), y(value)) for epoch, value in enumerate(curve)]
        style = styles[name] % len(MARKERS)
        series.append(Series(name, style, _line(points), _markers(points, style) if markers else ""))
    steps = range(0, epochs, max(1, math.ceil(epochs / 8)))
    epoch_ticks = tuple(Tick(x(epoch), epoch + 1) for epoch in steps)
    return Panel(title, tuple(series), epoch_ticks, tuple(Tick(y(value), value) for value in ticks))


def squares(rows: Sequence[Sequence[int]], levels: int, highest: int) -> list[str]:
    """Return, for each of `levels` shades of a grid of values 0…`highest`, the path of its unit squares."""
    paths = [""] * levels
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            paths[min(levels - 1, value * levels // (highest + 1))] += f"M{x} {y}h1v1h-1z"
    return paths


def _ticks(values: Sequence[float]) -> list[float]:
    """Return round, evenly spaced tick values for all values except outliers.

    Heckbert, "Nice numbers for graph labels", 1990.
    """
    ordered = sorted(values)
    typical = abs(ordered[len(ordered) // 2]) or 1.0
    calm = [value for value in ordered if abs(value) <= OUTLIER * typical] or [0.0]
    low, high = calm[0], calm[-1]
    rough = max(high - low, abs(high) / 1e6, 1e-6) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * 0.999)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _line(points: Sequence[Point | None]) -> str:
    """Return a path through the points, interrupted where one is missing."""
    path, pen = "", "M"
    for point in points:
        if point is not None:
            path += f"{pen}{point[0]:g} {point[1]:g}"
        pen = "M" if point is None else "L"
    return path


def _markers(points: Sequence[Point | None], style: int) -> str:
    """Return markers at every point of a short curve, else at about ten of them."""
    apart = max(1, len(points) // 10)
    shown = (point for index, point in enumerate(points) if point and index % apart == 0)
    return "".join(f"M{point[0]:g} {point[1]:g}{MARKERS[style]}" for point in shown)
