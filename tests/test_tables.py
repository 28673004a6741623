"""Small blocks of HTML: escaped, nothing torn apart, nothing shown that is empty."""

from __future__ import annotations

import pandas as pd

from research.reporting.tables import Column, heading, number_column, paragraph, subheading, table

FRAME = pd.DataFrame({"name": ["<b>", "2024-10-31"], "value": [1.5, float("nan")], "note": ["", None]})


def test_columns_without_content_are_left_out_only_where_that_is_allowed():
    columns = {"name": "name", "value": number_column("value"), "note": Column("note", optional=True)}
    shown = table(FRAME, columns)
    assert "note" not in shown.markup
    assert shown.text.splitlines() == ["name | value", "<b> | 1.50", "2024-10-31 | –"]
    assert "note" in table(FRAME, columns | {"note": "note"}).markup
    full = table(FRAME.assign(note=["", "late"]), columns)
    assert '<th scope="col">note</th>' in full.markup
    assert "late" in full.text


def test_cells_are_escaped():
    markup = table(FRAME, {"name": "name", "value": number_column("value")}).markup
    assert "<td>&lt;b&gt;</td>" in markup
    assert '<td class="num">1.50</td>' in markup


def test_dates_and_statistics_do_not_break():
    text = "On 2024-10-31 <it> fell (t \N{MINUS SIGN}1.07, p <0.001), rank 5 of 46"
    markup = paragraph(text, "verdict").markup
    assert (
        '<span class="keep">2024-10-31</span> &lt;it&gt; fell (<span class="keep">t \N{MINUS SIGN}1.07</span>' in markup
    )
    assert '<span class="keep">p &lt;0.001</span>' in markup
    assert paragraph(text).text == text
    assert heading("A 2024-10-31").markup == '<h1>A <span class="keep">2024-10-31</span></h1>'
    assert subheading("B").markup == "<h3>B</h3>"


def test_no_text_is_no_paragraph():
    assert paragraph("").markup == ""
