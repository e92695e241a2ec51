"""Bars as SVG text, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 340
LEFT, TOP, RIGHT, BOTTOM = 64, 40, 16, 76
_DEEP, _TALL = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP

STYLE = """\
    text { fill: #1f2328 } .quiet { fill: #57606a; font-size: 12px } .paper { fill: #ffffff }
    .line { stroke: #d1d9e0 } .axis { stroke: #57606a }
    .bar0 { fill: #54aeff } .bar1 { fill: #0969da } .bar2 { fill: #0a3069 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .quiet { fill: #9198a1 } .paper { fill: #0d1117 } .line { stroke: #2f3742 } .axis { stroke: #9198a1 }
      .bar0 { fill: #1f6feb } .bar1 { fill: #58a6ff } .bar2 { fill: #cae8ff }
    }"""


@dataclass(frozen=True)
class Bars:
    """`groups` have a name and a height for each of the `kinds`, in the order of those; both axes are named."""

    title: str
    across: str
    up: str
    kinds: Sequence[str]
    groups: Sequence[tuple[str, Sequence[float]]]

    @property
    def most(self) -> float:
        """The upper end of the axis: a half above the tallest, or one and a half."""
        tallest = max(height for _, heights in self.groups for height in heights)
        return max(1.5, (int(tallest * 2) + 1) / 2)

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, \'DejaVu Sans\', sans-serif"'
        )
        lines = [
            f'{head} font-size="14" role="img" aria-labelledby="title">',
            f'  <title id="title">{escape(self.title)}</title>',
            f"  <style>\n{STYLE}\n  </style>",
            f'  <rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
            *self._axis(),
            *self._bars(),
            *self._legend(),
        ]
        return "\n".join([*lines, "</svg>", ""])

    def _axis(self) -> Iterator[str]:
        for half in range(int(self.most * 2) + 1):
            y = self._y(half / 2)
            yield f'  <line class="{"line" if half else "axis"}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'  <text class="quiet" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{half / 2:g}</text>'
        middle = TOP + _TALL / 2
        yield f'  <text class="quiet" transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(self.up)}</text>'
        x = (LEFT + WIDTH - RIGHT) / 2
        yield f'  <text class="quiet" x="{x:.0f}" y="{_DEEP + 40}" text-anchor="middle">{escape(self.across)}</text>'

    def _bars(self) -> Iterator[str]:
        room = (WIDTH - LEFT - RIGHT) / len(self.groups)
        wide = room * 0.8 / len(self.kinds)
        for place, (name, heights) in enumerate(self.groups):
            first = LEFT + place * room + room * 0.1
            for kind, height in enumerate(heights):
                x, y = first + kind * wide, self._y(height)
                yield f'  <rect class="bar{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide - 4:.1f}" height="{_DEEP - y:.1f}"/>'
                yield f'  <text class="quiet" x="{x + wide / 2 - 2:.1f}" y="{y - 5:.1f}" text-anchor="middle">{height:.2f}</text>'
            yield f'  <text x="{first + room * 0.4:.1f}" y="{_DEEP + 20}" text-anchor="middle">{escape(name)}</text>'

    def _legend(self) -> Iterator[str]:
        for place, kind in enumerate(self.kinds):
            x = LEFT + place * 110
            yield f'  <rect class="bar{place}" x="{x}" y="{HEIGHT - 24}" width="12" height="12"/>'
            yield f'  <text class="quiet" x="{x + 18}" y="{HEIGHT - 14}">{escape(kind)}</text>'

    def _y(self, height: float) -> float:
        return _DEEP - height / self.most * _TALL
