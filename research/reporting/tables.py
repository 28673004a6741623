"""Tables and small blocks of HTML for a report: everything escaped, numbers with their units."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from research.reporting import words


@dataclass(frozen=True)
class Fragment:
    """A piece of HTML that Jupyter shows as such, with its text for every other reader."""

    markup: str
    text: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Fragment) -> Fragment:
        return Fragment(self.markup + other.markup, f"{self.text}\n{other.text}")


@dataclass(frozen=True)
class Column:
    """How one column is shown.

    Attributes
    ----------
    title : str
        Heading, with the unit where there is one.
    show : callable, optional
        Turns a cell into text; numbers shown by one are aligned right.
    optional : bool, default False
        Left out of a table in which none of its cells has anything to show.
    """

    title: str
    show: Callable[[Any], str] | None = None
    optional: bool = False


#: What a cell holds that has nothing to show.
_NOTHING = ("", "–")
#: What a line break must not tear apart: dates, and a statistic from its value.
_TOGETHER = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b[tpz] (?:&lt;|[\u2212+])?\d[\d.]*")


def percent_column(title: str, digits: int = 2) -> Column:
    """A decimal fraction as a signed number of per cent."""
    return Column(f"{title}, %", lambda value: words.percent(value, digits).removesuffix("%"))


def size_column(title: str, digits: int = 2) -> Column:
    """A decimal fraction that has no sign, in per cent."""
    return Column(f"{title}, %", lambda value: words.percent(value, digits, signed=False).removesuffix("%"))


def number_column(title: str, digits: int = 2) -> Column:
    """A plain number."""
    return Column(title, lambda value: words.number(value, digits))


def paragraph(text: str, kind: str = "") -> Fragment:
    """A paragraph of plain text, nothing for no text; ``kind`` is a CSS class: ``verdict``, ``note`` or ``warn``."""
    if not text:
        return Fragment("", "")
    attribute = f' class="{html.escape(kind)}"' if kind else ""
    return Fragment(f"<p{attribute}>{_prose(text)}</p>", text)


def heading(text: str) -> Fragment:
    """The main heading of a report."""
    return Fragment(f"<h1>{_prose(text)}</h1>", text)


def subheading(text: str) -> Fragment:
    """A heading inside a section."""
    return Fragment(f"<h3>{_prose(text)}</h3>", text)


def _prose(text: str) -> str:
    """Escaped text in which dates and values do not break across lines."""
    return _TOGETHER.sub(lambda found: f'<span class="keep">{found[0]}</span>', html.escape(text))


def numbered(items: Sequence[str], summary: str) -> Fragment:
    """A numbered list of plain texts, folded behind its summary."""
    markup = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    text = "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))
    return details(summary, Fragment(f"<ol>{markup}</ol>", text))


def bullets(items: Sequence[str]) -> Fragment:
    """A list of plain texts."""
    markup = "".join(f"<li>{_prose(item)}</li>" for item in items)
    return Fragment(f"<ul>{markup}</ul>", "\n".join(f"- {item}" for item in items))


def cards(figures: Sequence[tuple[str, str, str]]) -> Fragment:
    """Header cards: ``(label, value, note)`` each."""
    markup = "".join(
        f'<div class="card"><div class="card-label">{html.escape(label)}</div>'
        f'<div class="card-value">{html.escape(value)}</div>'
        f'<div class="card-note">{html.escape(note)}</div></div>'
        for label, value, note in figures
    )
    text = "\n".join(f"{label}: {value} ({note})" for label, value, note in figures)
    return Fragment(f'<div class="cards">{markup}</div>', text)


def table(
    frame: pd.DataFrame,
    columns: Mapping[str, Column | str] | None = None,
    *,
    caption: str = "",
    mark: Callable[[pd.Series], bool] | None = None,
) -> Fragment:
    """A data table.

    Parameters
    ----------
    frame : DataFrame
        One row a line; the index is not shown.
    columns : mapping of column name to Column or heading, optional
        Columns to show in this order; by default all of them.
    caption : str
        What the table says, above it.
    mark : callable, optional
        Rows for which it is true are highlighted.
    """
    chosen = columns or {name: str(name) for name in frame.columns}
    shown = {name: entry if isinstance(entry, Column) else Column(entry) for name, entry in chosen.items()}
    cells = [{name: _cell(row[name], entry) for name, entry in shown.items()} for _, row in frame.iterrows()]
    for name in [name for name, entry in shown.items() if entry.optional]:
        if all(line[name] in _NOTHING for line in cells):
            del shown[name]
    numeric = {name for name, entry in shown.items() if entry.show or pd.api.types.is_numeric_dtype(frame[name])}
    head = "".join(
        f'<th scope="col"{_class("num" if name in numeric else "")}>{html.escape(entry.title)}</th>'
        for name, entry in shown.items()
    )
    lines, texts = [], []
    for line, (_, row) in zip(cells, frame.iterrows(), strict=True):
        marked = _class("this" if mark is not None and mark(row) else "")
        body = "".join(
            f"<td{_class('num' if name in numeric else '')}>{html.escape(line[name])}</td>" for name in shown
        )
        lines.append(f"<tr{marked}>{body}</tr>")
        texts.append(" | ".join(line[name] for name in shown))
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    markup = f'<table class="data">{title}<thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    heading = " | ".join(entry.title for entry in shown.values())
    return Fragment(markup, "\n".join([caption, heading, *texts] if caption else [heading, *texts]))


def facts(items: Mapping[str, str], caption: str = "") -> Fragment:
    """A two-column table of names and texts."""
    frame = pd.DataFrame({"name": list(items), "value": list(items.values())})
    return table(frame, {"name": "", "value": ""}, caption=caption)


def details(summary: str, content: Fragment) -> Fragment:
    """A fragment folded behind its summary line."""
    markup = f"<details><summary>{html.escape(summary)}</summary>{content.markup}</details>"
    return Fragment(markup, f"{summary}\n{content.text}")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _cell(value: Any, column: Column) -> str:
    if column.show is not None:
        return column.show(value)
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() and value.tz is None else f"{value:%Y-%m-%d %H:%M %Z}"
    return str(value)
