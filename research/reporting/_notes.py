"""Footnotes and definitions of a page: collected once, linked from where they are needed.

Two things become a numbered note at the end of the page: a footnote of a Markdown cell
(``[^1]``), and an HTML output's ``<span class="footnote">text</span>``. A two-column table
under a heading *Definitions* defines terms; headings of other tables and labels of cards
that name one of them link to its row.
"""

from __future__ import annotations

import html
import re

_SECTION = re.compile(r'<section class="footnotes">\s*<ol>(.*?)</ol>\s*</section>', flags=re.DOTALL)
_ITEM = re.compile(r'<li id="([^"]*)">(.*?)</li>(?=\s*(?:<li id=|\Z))', flags=re.DOTALL)
_BACK = re.compile(r'<a href="#[^"]*" class="footnote">[^<]*</a>')
_REFERENCE = re.compile(
    r'<sup class="footnote-ref" id="[^"]*"><a href="#([^"]*)">[^<]*</a></sup>'
    r"|<span class=[\"']footnote[\"']>(.*?)</span>",
    flags=re.DOTALL,
)
_DEFINITIONS = re.compile(r"<h2\b[^>]*>\s*Definitions\s*</h2>(.*?<table\b.*?</table>)", flags=re.DOTALL)
_ROW = re.compile(r"<tr\b([^>]*)>\s*<t[dh][^>]*>(.*?)</t[dh]>\s*<td", flags=re.DOTALL)
_LABEL = re.compile(
    r"(<th scope=[\"']col[\"'][^>]*>|<div class=[\"']card-label[\"']>)([^<]+)(</th>|</div>)",
)
_UNIT = re.compile(r",\s*(%|pp|bp|days?|US\$|\$)$")


def with_footnotes(body: str) -> str:
    """Body whose footnotes are numbered through and stand in one section at its end."""
    texts: dict[str, str] = {}
    for section in _SECTION.findall(body):
        texts |= {anchor: _BACK.sub("", content).strip() for anchor, content in _ITEM.findall(section)}
    body = _SECTION.sub("", body)
    numbers: dict[str, int] = {}

    def reference(found: re.Match[str]) -> str:
        key = found[1] if found[1] is not None else found[2].strip()
        if found[1] is not None and key not in texts:
            return found[0]
        first = key not in numbers
        number = numbers.setdefault(key, len(numbers) + 1)
        anchor = f' id="note-ref-{number}"' if first else ""
        return f'<sup class="footnote-ref"{anchor}><a href="#note-{number}" role="doc-noteref">{number}</a></sup>'

    body = _REFERENCE.sub(reference, body)
    if not numbers:
        return body
    items = "".join(
        f'<li id="note-{number}"><div>{texts.get(key, key)}</div>'
        f'<a href="#note-ref-{number}" role="doc-backlink" aria-label="Back to the text of note {number}">↩</a></li>'
        for key, number in numbers.items()
    )
    return f'{body}\n<section class="footnotes"><h2>Notes</h2><ol>{items}</ol></section>'


def with_linked_terms(body: str) -> str:
    """Body in which headings of tables and labels of cards lead to the definition of their term."""
    section = _DEFINITIONS.search(body)
    if section is None:
        return body
    anchors: dict[str, str] = {}

    def defined(found: re.Match[str]) -> str:
        term = _folded(found[2])
        anchor = "define-" + re.sub(r"[^a-z0-9]+", "-", term).strip("-")
        if not term or 'id="' in found[1] or anchor in anchors.values():
            return found[0]
        named = re.fullmatch(r"(.*?)\s*\((.*?)\)", term)  # "abnormal return (ar)" goes by both names
        for name in (term, *(named.groups() if named else ())):
            anchors.setdefault(name, anchor)
        return found[0].replace("<tr", f'<tr id="{anchor}"', 1)

    table = _ROW.sub(defined, section[1])

    def linked(found: re.Match[str]) -> str:
        anchor = anchors.get(_folded(_UNIT.sub("", html.unescape(found[2]).strip())))
        if anchor is None:
            return found[0]
        return f'{found[1]}<a class="term" href="#{anchor}">{found[2]}</a>{found[3]}'

    start, end = section.span(1)
    return _LABEL.sub(linked, body[:start]) + table + _LABEL.sub(linked, body[end:])


def _folded(fragment: str) -> str:
    text = html.unescape(re.sub(r"<[^>]*>", "", fragment))
    return " ".join(text.split()).casefold()
