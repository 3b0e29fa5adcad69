"""Pictures as SVG text: boxes, arrows and words, none of which may lie on another one's words."""

from html import escape

__all__ = ["INK", "MEMORY", "PLAIN", "REQUESTER", "SOFT", "Drawing"]

INK, SOFT = "#34495e", "#c3ccd4"
REQUESTER, PLAIN, MEMORY = "#e8f0fb", "#f4f6f8", "#eef7ec"

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">
<title>{title}</title>
<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="3.5" orient="auto">\
<path d="M0 0 L7 3.5 L0 7 z" fill="#34495e"/></marker></defs>
<rect width="{width}" height="{height}" fill="#fff"/>"""


class Drawing:
    """A picture that grows by calls; :meth:`text` is refused where it would not be readable.

    Parameters
    ----------
    title : str
    width, height : int
    """

    def __init__(self, title, width, height):
        self._size = width, height
        self._parts = [_HEAD.format(title=escape(title), width=width, height=height)]
        self._texts = []                # (left, top, right, bottom, words)

    def text(self, x, y, words, *, anchor="start", size=12, bold=False, fill="#222"):
        """Writes ``words`` with their base line at ``y``.

        Raises
        ------
        ValueError
            They leave the picture, or lie upon others.
        """
        width = sum(.34 if letter in "iljtfrI.,:;' ()|" else .6 for letter in words) * size
        width *= 1.06 if bold else 1
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        area = left, y - .75 * size, left + width, y + .2 * size
        if left < 0 or area[1] < 0 or area[2] > self._size[0] or area[3] > self._size[1]:
            raise ValueError(f"'{words}' leaves the picture")
        for *other, beside in self._texts:
            if (area[0] < other[2] and other[0] < area[2]
                    and area[1] < other[3] and other[1] < area[3]):
                raise ValueError(f"'{words}' lies upon '{beside}'")
        self._texts.append((*area, words))
        style = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}"{style} '
            f'fill="{fill}">{escape(words)}</text>')

    def box(self, x, y, width, height, *lines, fill=PLAIN, stroke=INK, size=11):
        """A box with ``lines`` in its middle, the first one bold.

        Raises
        ------
        ValueError
            A line is wider than the box.
        """
        self._parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
                           f'rx="3" fill="{fill}" stroke="{stroke}"/>')
        top = y + height / 2 - (len(lines) - 1) * (size + 3) / 2 + size * .36
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + number * (size + 3), line, anchor="middle",
                      size=size, bold=number == 0 and len(lines) > 1)
            *area, _ = self._texts[-1]
            if area[2] - area[0] > width:
                raise ValueError(f"'{line}' is wider than its box")

    def line(self, *points, arrow=False, color=INK, dashed=False, width=1.3):
        """A line through ``points``, (x, y) each; with an ``arrow`` at its end."""
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        marks = ' marker-end="url(#a)"' * arrow + ' stroke-dasharray="4 3"' * dashed
        self._parts.append(f'<path d="{path}" fill="none" stroke="{color}" '
                           f'stroke-width="{width:g}"{marks}/>')

    def svg(self):
        """The picture, as text."""
        return "\n".join([*self._parts, "</svg>", ""])
