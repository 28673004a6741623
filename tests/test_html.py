"""The page: self-contained, safe, readable without scripts, the same bytes each time."""

from __future__ import annotations

import base64
import html
import re
from html.parser import HTMLParser

import matplotlib as mpl
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from research.errors import ReportError
from research.reporting import _formulas
from research.reporting._completion import RESULTS_TYPE
from research.reporting.html import _TEMPLATES, render

MANIFEST = {
    "notebook": "announcement",
    "parameters": {"ticker": "META", "note": "<script>x</script>"},
    "versions": {"research": "0.1.0", "python": "3.11"},
    "source": {"source": "sample", "sha256": "ab" * 32},
    "input_hash": "cd" * 32,
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'


def code(source="pass", *outputs):
    return new_code_cell(source, outputs=list(outputs), execution_count=1)


def shown(data, /, **metadata):
    return new_output("display_data", data=data, metadata=metadata)


def page(*cells, title="A title"):
    return render(new_notebook(cells=list(cells)), title=title, manifest=MANIFEST)


class Outline(HTMLParser):
    """Elements of a page in the order they open, text of headings, and unbalanced tags."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "hr", "col", "wbr"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open, self.broken = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


FULL = (
    new_markdown_cell("# The notebook\n\nA [source](https://example.org/a).[^1]\n\n[^1]: A definition."),
    code(
        "x = '<b>'  # comment",
        shown({"text/html": "<h2>Cards &amp; more</h2><p class='verdict'>It fell.</p>"}),
        shown({"text/html": pd.DataFrame({"name": ["a"], "value": [-1.5]}).to_html()}),
    ),
    new_markdown_cell("## Figures\n\nText.[^1]\n\n[^1]: Another."),
    code(
        "plot()",
        shown(
            {"image/svg+xml": SVG, "text/plain": "x"},
            **{"image/svg+xml": {"alt": 'A "line"', "caption": "<c>"}},
        ),
        shown({"image/png": PNG + "\n"}, alt="Bars", **{"image/png": {"width": 640}}),
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m <b>"),
        new_output("stream", name="stderr", text="a warning"),
        shown({RESULTS_TYPE: {"complete": True}, "text/plain": "Complete"}),
    ),
    new_markdown_cell("## Figures"),
)


@pytest.fixture(scope="module")
def full():
    return page(*FULL)


def test_page_requests_nothing_and_runs_nothing(full):
    outline = Outline(full)
    loading = ("src", "srcset", "poster", "data", "action", "background", "xlink:href")
    for tag, attributes in outline.elements:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in loading or (name == "href" and tag != "a"):
                assert value.startswith("data:"), (tag, name)
    assert not re.search(r"@import|url\(", (_TEMPLATES / "page.css").read_text(encoding="utf-8"))
    policies = [m["content"] for m in outline.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]


def test_page_is_well_formed_and_has_landmarks(full):
    outline = Outline(full)
    assert outline.broken == []
    assert outline.open == []
    assert outline.all("html") == [{"lang": "en"}]
    for landmark in ("header", "main", "footer", "h1", "title"):
        assert len(outline.all(landmark)) == 1, landmark
    assert outline.all("a")[0]["href"] == "#content"
    labels = [nav["aria-label"] for nav in outline.all("nav")]
    assert len(labels) == len(set(labels)) == 2
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_local_link_has_its_target(full):
    outline = Outline(full)
    ids = {attributes.get("id") for _, attributes in outline.elements}
    local = [a["href"][1:] for a in outline.all("a") if a["href"].startswith("#")]
    assert len(local) > 6
    assert set(local) <= ids


def test_contents_list_the_second_level_headings(full):
    found = re.search(r'<nav class="contents wide".*?</nav>', full, flags=re.DOTALL)
    links = re.findall(r'<a href="#([^"]*)">([^<]*)</a>', found[0])
    assert links == [
        ("cards-more", "Cards &amp; more"),
        ("figures", "Figures"),
        ("figures-2", "Figures"),
        ("notes", "Notes"),
    ]


def test_figures_keep_their_descriptions(full):
    images = Outline(full).all("img")
    assert [image["alt"] for image in images] == ['A "line"', "Bars"]
    prefix = "data:image/svg+xml;base64,"
    assert images[0]["src"].startswith(prefix)
    assert base64.b64decode(images[0]["src"].removeprefix(prefix)).decode() == SVG
    assert images[1]["src"] == f"data:image/png;base64,{PNG}"
    assert images[1]["width"] == "640"
    assert "<figcaption>&lt;c&gt;</figcaption>" in full


def test_figure_without_description_does_not_pass_as_decoration():
    assert Outline(page(code("x", shown({"image/png": PNG})))).all("img")[0]["alt"] != ""


def test_text_is_escaped_and_warnings_and_records_are_not_shown(full):
    assert "red &lt;b&gt;" in full
    assert "\x1b" not in full
    assert "a warning" not in full
    assert "Complete" not in full
    assert "&lt;script&gt;x&lt;/script&gt;" in full  # a parameter, in the footer


def test_tables_scroll_in_their_own_box_with_numbers_aligned(full):
    outline = Outline(full)
    for position, (tag, _) in enumerate(outline.elements):
        if tag == "table":
            box_tag, box = outline.elements[position - 1]
            assert (box_tag, box["class"], box["tabindex"]) == ("div", "table-scroll", "0")
    assert '<td class="num">-1.5</td>' in full
    assert "<td>a</td>" in full


@pytest.mark.parametrize(
    ("cell", "numeric"),
    [
        ("1", True),
        ("−4.09%", True),
        ("+1,234.5", True),
        ("$567.58", True),
        ("1e-05", True),
        ("&minus;2.3", True),
        ("2024-10-30", False),
        ("3M", False),
        ("", False),
        ("44 of 48", False),
    ],
)
def test_what_counts_as_a_number(cell, numeric):
    table = f"<table><tr><td>{cell}</td></tr></table>"
    found = page(code("x", shown({"text/html": table})))
    assert ('<td class="num">' in found) is numeric


def test_short_texts_of_a_table_stay_on_one_line():
    cells = ("2024-10-31", "USD billion", "word", "a text that may well take two lines")
    table = "<table><tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr></table>"
    found = page(code("x", shown({"text/html": table})))
    assert '<td class="keep">2024-10-31</td><td class="keep">USD billion</td><td>word</td>' in found
    assert "<td>a text that may well take two lines</td>" in found


def test_a_dash_goes_with_its_column():
    rows = "".join(
        f"<tr><th>{n}</th><td>{n}</td><td>word</td></tr><tr><th>x</th><td>–</td><td>–</td></tr>" for n in "12"
    )
    found = page(code("x", shown({"text/html": f"<table><tbody>{rows}</tbody></table>"})))
    assert found.count('<td class="num">–</td>') == 2
    assert found.count("<td>–</td>") == 2


def test_code_is_there_but_folded_away(full):
    assert full.count('<details class="code" open>') == 2
    assert '<input type="checkbox" id="show-code">' in full
    assert "&lt;b&gt;" in full
    css = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    assert "details.code { display: none; }" in css
    assert "body:has(#show-code:checked) details.code { display: block; }" in css


@pytest.mark.parametrize(
    ("cells", "title", "others"),
    [
        ([new_markdown_cell("Text")], "A title", []),
        ([new_markdown_cell("# Of the notebook")], "Of the notebook", []),
        (
            [new_markdown_cell("# Of the notebook"), code("x", shown({"text/html": "<h1>META &lt; 0</h1>"}))],
            "META &lt; 0",
            [],
        ),
        ([new_markdown_cell("# One\n\n# Two")], "One", ["Two"]),
        ([code("x", shown({"text/html": "<h1 id='a'>One</h1><h1>Two</h1>"}))], "One", ["Two"]),
    ],
)
def test_exactly_one_title(cells, title, others):
    found = page(*cells)
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", found) == [title]
    assert re.findall(r"<title>(.*?)</title>", found) == [title]
    body = found[: found.index("<footer>")]
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", body) == others


def test_title_is_escaped():
    assert "<h1>&lt;script&gt;</h1>" in page(title="<script>")


def test_same_input_same_bytes(full):
    assert page(*FULL) == full
    assert full.endswith("</html>\n")
    assert "\r" not in full


def test_footer_cites_the_inputs(full):
    footer = full[full.index("<footer>") :]
    assert MANIFEST["input_hash"] in footer
    assert "0.1.0" in footer
    assert MANIFEST["source"]["sha256"] in footer


@pytest.mark.parametrize(
    "output",
    [
        "<script>alert(1)</script>",
        "<SCRIPT src='x.js'></SCRIPT>",
        "<img src='https://example.org/pixel.png' alt=''>",
        "<img src='picture.png' alt=''>",
        "<img src='data:text/html,x' alt=''>",
        "<img srcset='https://example.org/a.png 2x' alt=''>",
        "<p onclick='x()'>a</p>",
        "<a href='javascript:alert(1)'>a</a>",
        "<a href='java\nscript:alert(1)'>a</a>",
        "<a href='data:text/html,x'>a</a>",
        "<iframe srcdoc='x'></iframe>",
        "<link rel='stylesheet' href='https://example.org/a.css'>",
        "<meta http-equiv='refresh' content='0;url=https://example.org'>",
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>p { background: url(https://example.org/a.png) }</style>",
        "<style>p { background: url('//example.org/a.png') }</style>",
        "<p style='background:url(&quot;https://example.org/a.png&quot;)'>a</p>",
        "<svg><use xlink:href='https://example.org/a.svg#b'/></svg>",
        "<svg><image href='https://example.org/a.png'/></svg>",
        "<form action='https://example.org'></form>",
    ],
)
def test_outputs_that_would_leave_the_page_are_refused(output):
    with pytest.raises(ReportError, match="self-contained"):
        page(code("x", shown({"text/html": output})))


@pytest.mark.parametrize(
    "output",
    [
        "<a href='https://example.org'>a</a>",
        "<a href='#b' id='b'>a</a>",
        "<svg><defs><g id='g'/></defs><use href='#g' fill='url(#x)'/></svg>",
        f"<img src='data:image/png;base64,{PNG}' alt='a'>",
        "<style>.x { fill: url(#g) }</style>",
        "<p>onclick= javascript: @import url(https://example.org)</p>",
    ],
)
def test_harmless_outputs_pass(output):
    assert output in page(code("x", shown({"text/html": output})))


def test_markdown_that_a_cell_puts_out_is_not_trusted():
    found = page(code("x", shown({"text/markdown": "**bold** <script>alert(1)</script> [a](javascript:x)"})))
    assert "<strong>bold</strong>" in found
    assert "&lt;script&gt;" in found
    assert "javascript:x" not in found


def test_formulas_of_a_cell_are_set_with_their_source_as_alternative():
    source = "The beta $\\beta_i * 2 * x < 1$ and\n\n$$\n\\frac{1}{N} \\sum_i AR_i\n$$\n\n> so $$x_i \\le y$$\n"
    found = page(new_markdown_cell(source))
    alternatives = re.findall(r'<img class="formula" src="data:image/svg\+xml;base64,[^"]+" alt="([^"]*)"', found)
    assert [html.unescape(text) for text in alternatives] == [
        "\\beta_i * 2 * x < 1",
        "\\frac{1}{N} \\sum_i AR_i",
        "x_i \\le y",
    ]
    assert "$" not in found.partition("<main")[2].partition("</main>")[0]
    assert found == page(new_markdown_cell(source))


@pytest.mark.parametrize(
    "source",
    [
        "costs $5 and $6 a share",
        "from $ 5 to 7$",
        "US$5-US$6",
        "`$x$`",
        "one \\$x\\$ two",
        "$5, or $ ME",
        "EPS of $5 (in US$), up.",
        "$META/$AAPL and $MSFT",
    ],
)
def test_money_and_code_are_no_formulas(source):
    assert 'class="formula"' not in page(new_markdown_cell(source))


@pytest.mark.parametrize(
    "source", ["\\!", "\\hspace{-5}", "{" * 80 + "x" + "}" * 80, "\\quad", "{}", "\\text{\u6f22\u5b57}"]
)
def test_formula_of_nothing_or_too_much_shows_its_source(source, caplog, recwarn):
    assert f"<code>{source}</code>" in page(new_markdown_cell(f"a ${source}$ b"))
    assert not caplog.records
    assert not recwarn.list


def test_formula_is_the_same_whatever_the_settings_of_matplotlib_are():
    plain = page(new_markdown_cell("a $x_1^2$ b"))
    _formulas._drawn.cache_clear()
    with mpl.rc_context({"mathtext.default": "rm", "savefig.bbox": "tight", "text.usetex": True, "font.size": 30}):
        assert page(new_markdown_cell("a $x_1^2$ b")) == plain


def test_formula_that_cannot_be_set_shows_its_source():
    found = page(new_markdown_cell("$$\n\\begin{aligned} a &= <b> \\end{aligned}\n$$"))
    assert r"<code>\begin{aligned} a &amp;= &lt;b&gt; \end{aligned}</code>" in found


def test_latex_that_a_cell_puts_out_is_text():
    assert "a $x^2$ b" in page(code("x", shown({"text/markdown": "a $x^2$ b"})))


def test_output_without_a_showable_form_is_refused():
    with pytest.raises(ReportError, match="plotly"):
        page(code("x", shown({"application/vnd.plotly.v1+json": {}})))


def test_tags_hide_what_the_author_wants_hidden():
    cells = [code("secret_source", shown({"text/plain": f"output {n}"})) for n in range(3)]
    for cell, tag in zip(cells, ("remove-input", "remove-output", "remove-cell"), strict=True):
        cell.metadata["tags"] = [tag]
    found = page(*cells)
    assert found.count("secret_source") == 1
    assert [n for n in range(3) if f"output {n}" in found] == [0]


def test_notices_stand_below_the_heading():
    found = render(
        new_notebook(cells=[code("x", shown({"text/html": "<h1>Title</h1><p>verdict</p>"}))]),
        title="x",
        manifest=MANIFEST,
        notices=["<p>first</p>", "<table><tr><td>1</td></tr></table>"],
    )
    places = [found.index(mark) for mark in ("<h1>Title</h1>", "<p>first</p>", '<td class="num">1', "<p>verdict</p>")]
    assert places == sorted(places)


def test_notices_are_audited_like_everything_else():
    with pytest.raises(ReportError, match="self-contained"):
        render(new_notebook(cells=[]), title="x", manifest=MANIFEST, notices=["<script>1</script>"])


def test_figure_shows_its_data_on_demand():
    data = {"columns": ["day", "CAR, %", "<b>"], "rows": [[0, -1.23456789, "<i>"], [1, None, float("nan")]]}
    found = page(code("x", shown({"image/svg+xml": SVG}, **{"image/svg+xml": {"alt": "a", "data": data}})))
    folded = re.search(r'<details class="figure-data">.*?</details>', found, flags=re.DOTALL)[0]
    assert "&lt;b&gt;" in folded
    assert "&lt;i&gt;" in folded
    assert re.findall(r'<td class="num">([^<]*)</td>', folded) == ["0", "−1.23457", "1", "–"]
    assert 'class="table-scroll"' in folded


@pytest.mark.parametrize("data", [None, {}, {"columns": ["a"], "rows": []}])
def test_figure_without_data_has_no_table(data):
    assert "figure-data" not in page(code("x", shown({"image/png": PNG}, alt="a", data=data))).partition("<main")[2]


@pytest.mark.parametrize(
    "data", ["text", [[1]], {"rows": [[1]]}, {"columns": ["a"], "rows": [[1, 2]]}, {"columns": ["a"], "rows": [3]}]
)
def test_malformed_data_of_a_figure_are_refused(data):
    with pytest.raises(ReportError, match="data of a figure"):
        page(code("x", shown({"image/png": PNG}, alt="a", data=data)))


def test_footnotes_are_numbered_through_the_page():
    found = page(
        new_markdown_cell("A[^x] and again[^x].\n\n[^x]: Of *Markdown*."),
        code("x", shown({"text/html": "<p>B<span class='footnote'>Of HTML.</span></p>"})),
        new_markdown_cell("C[^x].\n\n[^x]: Another cell's."),
        code("x", shown({"text/html": '<p>D<span class="footnote">Of HTML.</span></p>'})),
    )
    assert re.findall(r'<a href="#note-(\d)" role="doc-noteref">(\d)</a>', found) == [
        (n, n) for n in ("1", "1", "2", "3", "2")
    ]
    notes = re.findall(r'<li id="note-(\d)"><div>(.*?)</div>', found, flags=re.DOTALL)
    assert notes == [("1", "<p>Of <em>Markdown</em>.</p>"), ("2", "Of HTML."), ("3", "<p>Another cell's.</p>")]
    outline = Outline(found)
    assert outline.broken == []
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_page_without_notes_has_no_section_for_them():
    assert 'class="footnotes"' not in page(new_markdown_cell("Text."))


TERMS = (
    '<table><thead><tr><th scope="col"></th><th scope="col"></th></tr></thead><tbody>'
    "<tr><td>abnormal return (AR)</td><td>return less the model's</td></tr>"
    "<tr><td>CAR</td><td>sum</td></tr><tr><td>CAR</td><td>twice</td></tr></tbody></table>"
)


def test_headings_lead_to_the_definitions_of_their_terms():
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("AR, %", "car", "Abnormal return", "beta", "CAR squared")
    )
    labels = '<div class="card-label">Abnormal return</div><div class="card-label">z</div>'
    found = page(
        code("x", shown({"text/html": f"<table><tr>{heads}</tr></table>{labels}"})),
        new_markdown_cell("## Definitions"),
        code("x", shown({"text/html": TERMS})),
    )
    assert re.findall(r'<a class="term" href="#([^"]*)">([^<]*)</a>', found) == [
        ("define-abnormal-return-ar", "AR, %"),
        ("define-car", "car"),
        ("define-abnormal-return-ar", "Abnormal return"),
        ("define-abnormal-return-ar", "Abnormal return"),
    ]
    assert found.count('id="define-car"') == 1
    assert Outline(found).broken == []


def test_headings_without_text_are_no_headings():
    assert '<th scope="col"></th>' not in page(code("x", shown({"text/html": TERMS})))


def contrast(first, second):
    """WCAG 2 contrast ratio of two #rrggbb colours."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(scheme):
    css = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    pairs = [(text, paper) for text in ("ink", "muted", "link") for paper in ("paper", "raised", "tint")]
    pairs += [(token, "tint") for token in ("keyword", "string", "number", "comment", "name")]
    pairs += [("ink", "note"), ("link", "note"), ("muted", "note"), ("warn-ink", "warn"), ("link", "warn")]
    assert {
        pair: round(contrast(*map(colours.get, pair)), 2) for pair in pairs if contrast(*map(colours.get, pair)) < 4.5
    } == {}
