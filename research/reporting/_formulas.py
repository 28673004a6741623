r"""Formulas in the Markdown cells of a notebook: ``$...$`` in a line, ``$$...$$`` on lines of its own.

A page runs no script, hence no MathJax. matplotlib's mathtext sets the formula as a picture
whose text alternative is its source; what it does not know (environments such as ``aligned``)
shows as its source.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import logging
import re
from typing import Any

#: Size in points in which a formula is set; the page scales it to its own text.
_SIZE = 12.0
_BLOCK = (
    r"^ {0,3}\$\$[ \t]*(?P<formula_line>[^\n]+?)[ \t]*\$\$[ \t]*(?:\n|$)"
    r"|^ {0,3}\$\$[ \t]*\n(?P<formula_lines>[\s\S]+?)\n[ \t]*\$\$[ \t]*(?:\n|$)"
)
#: Sums of money and ticker symbols stay what they are: no space inside the dollars, no letter or digit
#: outside them, and what begins with a digit must hold more than words.
_INLINE = (
    r"\$\$(?P<formula_display>(?:[^$\\]|\\.)+?)\$\$"
    r"|(?<![\w$])\$(?![\s$])(?!\d[^$\n\\^_={}]*\$)(?P<formula_text>(?:[^$\\\n]|\\.)+?)(?<!\s)\$(?![\w$])"
)
#: A long formula scrolls by itself.
_BOX = '<div class="formula-scroll" tabindex="0" role="group" aria-label="Formula">'
#: Names that LaTeX has twice and mathtext once.
_SHORTHAND, _LONGHAND = re.compile(r"\\(le|ge|ne)(?![A-Za-z])"), r"\\\1q"


def formulas(markdown: Any) -> None:
    """Plugin of mistune; see the module."""
    markdown.block.register("formula_block", _BLOCK, _parse_block, before="list")
    markdown.inline.register("formula", _INLINE, _parse_inline, before="codespan")
    markdown.renderer.register("formula_block", lambda renderer, text: f"{_BOX}{_shown(text)}</div>\n")
    markdown.renderer.register("formula", lambda renderer, text: _shown(text))


def _parse_block(block: Any, found: re.Match[str], state: Any) -> int:
    text = found["formula_line"] or found["formula_lines"]
    state.append_token({"type": "formula_block", "raw": text})
    return found.end()


def _parse_inline(inline: Any, found: re.Match[str], state: Any) -> int:
    state.append_token({"type": "formula", "raw": found["formula_display"] or found["formula_text"]})
    return found.end()


def _shown(source: str) -> str:
    """A formula as an image, or as its source where it cannot be set."""
    source = " ".join(source.split())
    text = html.escape(source)
    drawn = _drawn(source)
    if drawn is None:
        return f"<code>{text}</code>"
    svg, height, depth = drawn
    encoded = base64.b64encode(svg.encode()).decode()
    style = f"height:{height:.3f}em;vertical-align:{-depth:.3f}em"
    return f'<img class="formula" src="data:image/svg+xml;base64,{encoded}" alt="{text}" style="{style}">'


@functools.lru_cache(maxsize=256)
def _drawn(source: str) -> tuple[str, float, float] | None:
    """SVG of a formula, its height and its depth below the line, in em; None where mathtext does not know it."""
    from research.reporting.plots import house_style

    unknown = _UnknownGlyphs()
    log = logging.getLogger("matplotlib.mathtext")
    log.addFilter(unknown)
    try:
        with house_style({"mathtext.fontset": "stix"}):
            drawn = _set(f"${_SHORTHAND.sub(_LONGHAND, source)}$")
    except (ValueError, RecursionError):
        return None
    finally:
        log.removeFilter(unknown)
    return None if unknown.found else drawn


class _UnknownGlyphs(logging.Filter):
    """Hears that a character has no glyph, of which mathtext only writes in its log, and keeps it quiet."""

    found = False

    def filter(self, record: logging.LogRecord) -> bool:
        self.found = True
        return False


def _set(text: str) -> tuple[str, float, float] | None:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    font = FontProperties(size=_SIZE)
    width, height, depth, *_ = MathTextParser("path").parse(text, dpi=72, prop=font)
    if not (width > 0 and height > 0):  # nothing but space
        return None
    figure = Figure(figsize=(width / 72, height / 72))
    figure.text(0, depth / height, text, fontproperties=font)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue(), height / _SIZE, depth / _SIZE
