"""An executed notebook as one HTML file that needs nothing else.

The page comes from our own nbconvert template: no script, no request, a content security
policy that would refuse both, light and dark, phone and paper. Whatever would break that
promise, a script or a picture from elsewhere in a cell's output, is refused by name
rather than dropped in silence.
"""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from research.errors import ReportError
from research.reporting import _formulas, _notes
from research.reporting._completion import RESULTS_TYPE

_TEMPLATES = Path(__file__).with_name("templates")
#: Forms of an output that a page can show, the preferred one first.
_SHOWN = (
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/latex",
    "text/plain",
)
_NUMBER = re.compile(r"[+\-−–]?[$€£]?[0-9][0-9,\u202f ]*(\.[0-9]+)?([eE][+-]?[0-9]+)?\s?(%|pp|bp|bps|σ|x|×)?")
#: What stands for a missing number; in a column of texts it stands for a missing text.
_MISSING = frozenset({"", "–", "—", "-", "NaN", "nan", "n/a"})
#: Texts of a table up to this length stay on one line.
_SHORT = 14
#: A heading without text is read out as nothing; as a plain cell it is passed over.
_EMPTY_HEADING = re.compile(r"<th\b[^>]*>\s*</th>")
_CELL = re.compile(r"<(td|th)\b([^>]*)>(.*?)</\1>", flags=re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", flags=re.DOTALL)


def render(notebook: Any, *, title: str, manifest: Mapping[str, Any], notices: Sequence[str] = ()) -> str:
    """The page of an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Executed and without errors. Markdown cells are trusted; Markdown that a cell put
        out is not, and its raw HTML shows as text. HTML outputs are taken as they are,
        so whoever builds them escapes the data in them.
    title : str
        Heading of the page, unless an output, or else a Markdown cell, has a level-one
        heading of its own. Exactly one is kept.
    manifest : mapping
        As in ``manifest.json``; shown in the footer.
    notices : sequence of str
        Blocks of HTML that go right below the heading, such as what changed.

    Returns
    -------
    str
        The same bytes for the same input.

    Raises
    ------
    ReportError
        If an output has no form that a page can show, or would run a script or request
        anything.
    """
    exporter = _exporter()
    body, _ = exporter.from_notebook_node(notebook)
    body, heading = _with_one_title(body, title)
    body = body.replace("</h1>", "\n".join(["</h1>", *notices]), 1)
    body = _notes.with_linked_terms(_notes.with_footnotes(_numbered_tables(body)))
    body, headings = _with_anchors(body)
    _require_self_contained(body)
    page = exporter.environment.get_template("page.html.j2").render(
        body=body.strip(),
        title=heading,
        headings=headings,
        css=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        manifest=manifest,
        version=manifest.get("versions", {}).get("research", ""),
    )
    return "\n".join(line.rstrip() for line in page.splitlines()) + "\n"


def _exporter() -> Any:
    from nbconvert.exporters import TemplateExporter
    from traitlets.config import Config

    tags = {
        "remove_cell_tags": {"remove-cell"},
        "remove_input_tags": {"remove-input"},
        "remove_all_outputs_tags": {"remove-output"},
    }
    return TemplateExporter(
        config=Config({"TagRemovePreprocessor": {"enabled": True, **tags}}),
        file_extension=".html",
        template_file="body.html.j2",
        template_paths=[str(_TEMPLATES)],
        filters={
            "cell_markdown": _cell_markdown,
            "untrusted_markdown": lambda text: _markdown(escape=True)(text),
            "highlighted": _highlighted,
            "shown_kind": _shown_kind,
            "described": _described,
            "figure_data": _figure_data,
            "compact": lambda encoded: "".join(encoded.split()),
        },
    )


@functools.cache
def _markdown(escape: bool) -> Any:
    import mistune

    plugins: list[Any] = ["table", "footnotes", "strikethrough", "def_list"]
    if not escape:  # LaTeX in data shows as the text it is
        plugins.append(_formulas.formulas)
    return mistune.create_markdown(escape=escape, plugins=plugins)


def _cell_markdown(source: str, position: int) -> str:
    """A Markdown cell; its level-one headings are marked, its footnotes numbered by cell."""
    rendered = str(_markdown(escape=False)(source))
    rendered = rendered.replace("<h1>", '<h1 class="from-markdown">')
    return re.sub(r'(id="|href="#)(fn(?:ref)?-)', rf"\g<1>c{position}-\g<2>", rendered)


def _highlighted(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return str(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))).rstrip("\n")


def _shown_kind(output: Any) -> str:
    """Form in which an output is shown; empty for the completion record."""
    if RESULTS_TYPE in output.data:
        return ""
    for kind in _SHOWN:
        if kind in output.data:
            return kind
    raise ReportError(
        f"an output has no form that a page without scripts can show, only {', '.join(sorted(output.data))}",
        allowed=", ".join(_SHOWN),
        remedy="Display a static figure or a table instead.",
    )


def _described(output: Any, key: str, kind: str) -> str:
    """What the metadata of a figure say under ``key``, for this form or for all."""
    metadata = output.get("metadata", {})
    specific = metadata.get(kind, {})
    return str((specific.get(key) if isinstance(specific, Mapping) else None) or metadata.get(key) or "")


def _figure_data(output: Any, kind: str) -> str:
    """Table of the data behind a figure, from the ``data`` of its metadata; empty without.

    ``data`` holds ``columns`` (headings with their units) and ``rows`` (lists of numbers,
    texts and null).
    """
    metadata = output.get("metadata", {})
    specific = metadata.get(kind, {})
    data = (specific.get("data") if isinstance(specific, Mapping) else None) or metadata.get("data")
    if not data:
        return ""
    if not _is_table(data):
        raise ReportError(
            "the data of a figure are malformed",
            allowed='{"columns": [heading, ...], "rows": [[cell, ...], ...]} with as many cells as headings',
        )
    columns, lines = data["columns"], data["rows"]
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_datum(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _is_table(data: Any) -> bool:
    if not isinstance(data, Mapping) or not all(isinstance(data.get(name), list) for name in ("columns", "rows")):
        return False
    return all(isinstance(line, list) and len(line) == len(data["columns"]) for line in data["rows"])


def _datum(value: Any) -> str:
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, int | float):
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        return text.replace("-", "\N{MINUS SIGN}")
    return html.escape(str(value))


def _numbered_tables(body: str) -> str:
    """Each table in a box that scrolls by itself, numbers in it aligned."""
    count = 0

    def wrapped(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        table = _EMPTY_HEADING.sub("<td></td>", _aligned(found[0]))
        caption = re.search(r"<caption[^>]*>(.*?)</caption>", table, flags=re.DOTALL)
        label = f"Table {count}" + (f": {_text_of(caption[1])}" if caption else "")
        box = f'<div class="table-scroll" tabindex="0" role="group" aria-label="{html.escape(label)}">'
        return f"{box}{table}</div>"

    return re.sub(r"<table\b.*?</table>", wrapped, body, flags=re.DOTALL)


def _aligned(table: str) -> str:
    """Table whose plain cells get the class ``num`` in columns of numbers only, and short texts one line."""
    if "colspan" in table or "rowspan" in table:
        return table  # the columns cannot be told by counting; whoever spans cells aligns them
    numbers: set[int] = set()
    texts: set[int] = set()
    for row in _ROW.findall(table):
        for column, (tag, _, content) in enumerate(_CELL.findall(row)):
            text = _text_of(content)
            if tag == "td" and text not in _MISSING:
                (numbers if _NUMBER.fullmatch(text) else texts).add(column)

    def aligned_row(row: re.Match[str]) -> str:
        columns = itertools.count()

        def aligned_cell(cell: re.Match[str]) -> str:
            numeric = next(columns) in numbers - texts
            if cell[1] != "td" or cell[2]:
                return cell[0]
            kind = "num" if numeric else "keep" if _stays_together(_text_of(cell[3])) else ""
            return f'<td class="{kind}">{cell[3]}</td>' if kind else cell[0]

        return _CELL.sub(aligned_cell, row[0])

    return _ROW.sub(aligned_row, table)


def _stays_together(text: str) -> bool:
    """Whether a text that could break is too short for two lines: a date, ``USD billion``."""
    return len(text) <= _SHORT and (" " in text or "-" in text)


def _text_of(fragment: str) -> str:
    """Text of an HTML fragment, entities resolved and white space folded."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", fragment)).split())


def _with_one_title(body: str, title: str) -> tuple[str, str]:
    """Body with exactly one h1, and its text, escaped.

    A heading that a cell put out names the event at hand, so it goes before the
    notebook's own; a second one of either sort becomes an h2.
    """
    pattern = re.compile(r"<h1\b([^>]*)>(.*?)</h1>", flags=re.DOTALL)
    found = list(pattern.finditer(body))
    put_out = [match for match in found if "from-markdown" not in match[1]]
    if not found:
        heading = html.escape(title)
        return f"<h1>{heading}</h1>\n{body}", heading
    chosen = (put_out or found)[0]

    def settled(match: re.Match[str]) -> str:
        attributes = match[1].replace(' class="from-markdown"', "")
        if match.start() == chosen.start():
            return f"<h1{attributes}>{match[2]}</h1>"
        if put_out and "from-markdown" in match[1]:
            return ""
        return f"<h2{attributes}>{match[2]}</h2>"

    return pattern.sub(settled, body), html.escape(_text_of(chosen[2]))


def _with_anchors(body: str) -> tuple[str, list[tuple[str, str]]]:
    """Body whose h2 headings have ids, and the table of contents as (id, text) pairs."""
    headings: list[tuple[str, str]] = []
    taken = {"content", "show-code", "cite-this", *re.findall(r'\bid="([^"]*)"', body)}

    def anchored(match: re.Match[str]) -> str:
        text = _text_of(match[2])
        own = re.search(r'\bid="([^"]*)"', match[1])
        anchor = own[1] if own else _free_anchor(text, taken)
        headings.append((anchor, html.escape(text)))
        return match[0] if own else f'<h2 id="{anchor}"{match[1]}>{match[2]}</h2>'

    body = re.sub(r"<h2\b([^>]*)>(.*?)</h2>", anchored, body, flags=re.DOTALL)
    return body, headings


def _free_anchor(text: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
    anchor, count = stem, 1
    while anchor in taken:
        count += 1
        anchor = f"{stem}-{count}"
    taken.add(anchor)
    return anchor


class _Auditor(HTMLParser):
    """Collects what would run a script or request anything."""

    _TAGS = frozenset({"script", "iframe", "object", "embed", "link", "base", "form", "meta", "frame", "portal"})
    _LOADING = frozenset({"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"})
    _REMOTE_STYLE = re.compile(r"@import|url\(\s*['\"]?\s*(?!data:|#|['\"])", flags=re.IGNORECASE)

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if tag in self._TAGS:
            self.found.append(f"<{tag}>")
        for name, given in attrs:
            value = "".join((given or "").split()).lower()
            if name.startswith("on"):
                self.found.append(f"{name} of <{tag}>")
            elif name in self._LOADING or (name == "href" and tag not in ("a", "area")):
                if not value.startswith(("data:image/", "#")):
                    self.found.append(f"{name} of <{tag}>: {(given or '')[:60]}")
            elif name == "href" and re.match(r"[a-z][a-z0-9+.-]*:", value):
                if not value.startswith(("http:", "https:", "mailto:")):
                    self.found.append(f"href of <{tag}>: {(given or '')[:60]}")
            elif name == "style" and self._REMOTE_STYLE.search(given or ""):
                self.found.append(f"style of <{tag}>")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style and self._REMOTE_STYLE.search(data):
            self.found.append("a style sheet that loads another file")


def _require_self_contained(body: str) -> None:
    auditor = _Auditor()
    auditor.feed(body)
    auditor.close()
    if auditor.found:
        raise ReportError(
            f"the page would not be self-contained: {'; '.join(dict.fromkeys(auditor.found))}",
            allowed="pictures as data, links, no script",
            remedy="Change the cells that put these out.",
        )
