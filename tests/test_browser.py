"""Pages in real headless Chromium: nothing leaves them, nothing overflows, everybody can read them.

Skips where no browser is installed. axe-core comes from npm; the environment variable AXE_CORE
names its ``axe.min.js``, and without it those checks skip.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import zlib
from pathlib import Path

import chromium
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from research.reporting import notebooks, reruns, site
from research.reporting.html import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium.executable() is None, reason="NO BROWSER: the pages were not looked at; install chromium"
    ),
]

#: Phone, laptop, and the width of A4 at 96 dots an inch.
SIZES = {"phone": (390, 844), "laptop": (1366, 768), "paper": (794, 1123)}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="200"><rect width="640" height="200"/></svg>'
LONG = "a-word-without-any-place-to-break-" * 8


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The site of every notebook with its default parameters, a page of awkward content, an index in trouble."""
    folder = tmp_path_factory.mktemp("site")
    jobs = "".join(f'[[notebook]]\nname = "{name}"\nslug = "{name}"\n' for name in notebooks.notebook_names())
    (folder / "schedule.toml").write_text(jobs, encoding="utf-8")
    done = reruns.rerun(folder / "schedule.toml", dt.date.today(), workers=2)
    assert done.exit_code == 0, [one.message for one in done.outcomes] + list(done.problems)
    found = {one.slug: Path(one.report) for one in done.outcomes}
    found["index"] = Path(done.index)
    found["awkward"] = folder / "awkward.html"
    found["awkward"].write_text(_awkward(), encoding="utf-8")
    found["trouble"] = _index_in_trouble(folder / "trouble")
    return found


def _awkward() -> str:
    """Every kind of output at its worst, and the blocks that only some reports have."""
    data = {"columns": ["day", "abnormal return, %"], "rows": [[n, n / 7] for n in range(-10, 11)]}
    wide = "".join(f"<td>{n}.25</td>" for n in range(40))
    head = "".join(f'<th scope="col">column {n}, %</th>' for n in range(40))
    outputs = [
        new_output("display_data", data={"text/html": f"<table><tr>{head}</tr><tr>{wide}</tr></table>"}),
        new_output(
            "display_data", data={"image/svg+xml": SVG}, metadata={"alt": "A bar", "caption": LONG, "data": data}
        ),
        new_output("stream", name="stdout", text=LONG * 3),
        new_output("display_data", data={"text/html": "<p>A term<span class='footnote'>Its meaning.</span>.</p>"}),
    ]
    definitions = (
        "<table><tr><th scope='col'></th><th scope='col'></th></tr><tr><td>column 1</td><td>first</td></tr></table>"
    )
    sums = " + ".join(rf"\hat\beta_{{{n}}} x_{{{n}}}" for n in range(40))
    formulas = f"Inline ${sums}$ and\n\n$$\n{sums}\n$$\n\nunknown $\\unknown{{{'x' * 200}}}$"
    cells = [
        new_markdown_cell(f"# {LONG}\n\nText.[^1]\n\n{formulas}\n\n[^1]: A note."),
        new_code_cell("x = 1  # " + LONG, outputs=outputs, execution_count=1),
        new_markdown_cell("## Definitions"),
        new_code_cell("y", outputs=[new_output("display_data", data={"text/html": definitions})], execution_count=2),
    ]
    changes = reruns._changes.changes_block(
        {"manifest": {"input_hash": "ab" * 32}, "results": {f"figure {n}": n for n in range(12)}},
        {"manifest": {"parameters": {LONG: 1}}, "results": {f"figure {n}": n + 0.5 for n in range(12)}},
    )
    manifest = {"notebook": LONG, "parameters": {LONG: LONG}, "input_hash": "cd" * 32, "source": {"sha256": "ef" * 32}}
    return render(
        new_notebook(cells=cells), title="x", manifest=manifest, notices=['<p class="warn">Beware.</p>', changes]
    )


def _index_in_trouble(folder: Path) -> Path:
    for n, status in enumerate(("final", "preliminary", "final", "final")):
        target = folder / f"c{n}-2024-10-30"
        target.mkdir(parents=True)
        facts = {"ticker": f"C{n}", "announced_on": f"2024-10-{20 + n}", "fiscal_period": LONG if n == 2 else "Q3"}
        contents = {
            "manifest": {"status": status, "window_ends": "2024-11-14", "data_end": "2024-11-01", "input_hash": str(n)},
            "results": {"day_zero": {"return": [0.05, -0.2, None, 0.1][n], "abnormal_return": 0.01, "t": 1.0}},
            "inputs": {"announcement": facts},
        }
        for name, content in contents.items():
            (target / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        (target / "report.html").write_text("x", encoding="utf-8")
    failed = folder / "c0-2024-10-30.failed"
    failed.mkdir()
    (failed / "failed.json").write_text(json.dumps({"reason": LONG}), encoding="utf-8")
    (failed / "failed.log").write_text("log", encoding="utf-8")
    coming = [{"ticker": "C9", "announced_on": "2024-12-20", "timing": "amc", "note": LONG, "eps_estimate": 1.5}]
    return site.build(folder, dt.date(2024, 12, 1), coming=coming, problems=[LONG])


@pytest.fixture(scope="module")
def browser():
    with chromium.browser() as one:
        yield one


def names() -> list[str]:
    return [*notebooks.notebook_names(), "index", "awkward", "trouble"]


@pytest.mark.parametrize("name", names())
def test_pages_stay_in_their_file_and_in_their_width(pages, browser, name):
    for size, (width, height) in SIZES.items():
        browser.open(pages[name], width, height)
        assert browser.requests() == [pages[name].resolve().as_uri()], size
        assert browser.complaints() == [], size
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        assert browser.evaluate("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("name", names())
def test_axe_finds_no_violation(pages, browser, name):
    path = os.environ.get("AXE_CORE", "")
    if not Path(path).is_file():
        pytest.skip("NO AXE-CORE: accessibility was not checked; set AXE_CORE to axe.min.js from npm")
    for size, dark in (("phone", False), ("laptop", False), ("laptop", True)):
        browser.open(pages[name], *SIZES[size], dark=dark)
        browser.evaluate(Path(path).read_text(encoding="utf-8") + "\n;0")
        # Folded parts are checked as well.
        browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found = browser.evaluate(
            "axe.run(document).then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
        )
        assert found == [], (size, dark)


@pytest.mark.parametrize("name", names())
def test_pages_print_on_paper(pages, browser, name):
    browser.open(pages[name])
    document = browser.pdf()
    assert document.startswith(b"%PDF")
    boxes = set(re.findall(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", document))
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (842, 595)}
    count = len(re.findall(rb"/Type ?/Page\b(?!s)", document))
    assert 1 <= count <= 40
    assert _text_is_drawn(document)


def _text_is_drawn(document: bytes) -> bool:
    """Whether some content stream of a PDF shows text."""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", document, flags=re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        if re.search(rb"\bT[jJ]\b", content):
            return True
    return False


def test_print_leaves_the_frame_out(pages, browser):
    browser.open(pages["awkward"])
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    shown = "getComputedStyle(document.querySelector('{}')).display"
    assert browser.evaluate(shown.format(".bar")) == "none"
    assert browser.evaluate(shown.format(".contents.wide")) == "none"
    assert browser.evaluate(shown.format("main")) != "none"


def test_code_is_behind_a_toggle(pages, browser):
    browser.open(pages["awkward"])
    visible = "[...document.querySelectorAll('details.code')].filter(one => one.offsetHeight > 0).length"
    assert browser.evaluate(visible) == 0
    browser.evaluate("document.getElementById('show-code').click()")
    assert browser.evaluate(visible) == 2


def test_data_behind_a_figure_and_links_to_notes_and_terms(pages, browser):
    browser.open(pages["awkward"])
    assert browser.evaluate("document.querySelectorAll('figure details.figure-data tbody tr').length") == 21
    assert browser.evaluate("document.querySelectorAll('.footnotes li').length") == 2
    missing = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length"
    assert browser.evaluate(missing) == 0
    assert browser.evaluate("document.querySelector('a.term').hash") == "#define-column-1"


def rows(browser) -> list[str]:
    shown = "[...document.querySelectorAll('#reports tbody tr')].filter(row => !row.hidden)"
    return browser.evaluate(f"{shown}.map(row => row.cells[0].textContent)")


def set_filter(browser, name: str, value: str, event: str) -> None:
    script = (
        "(field => { field.value = '%s'; field.dispatchEvent(new Event('%s')); })(document.getElementById('filter-%s'))"
    )
    browser.evaluate(script % (value, event, name))


def test_index_sorts_and_filters_without_a_server(pages, browser):
    browser.open(pages["trouble"])
    assert rows(browser) == ["C3", "C2", "C1", "C0"]
    click = "[...document.querySelectorAll('#reports th button')].find(b => b.textContent.startsWith('{}')).click()"
    browser.evaluate(click.format("Day zero"))
    assert rows(browser) == ["C3", "C0", "C1", "C2"]  # what has no figure comes last
    browser.evaluate(click.format("Day zero"))
    assert rows(browser) == ["C1", "C0", "C3", "C2"]
    assert browser.evaluate("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    set_filter(browser, "text", "c3", "input")
    assert rows(browser) == ["C3"]
    set_filter(browser, "text", "", "input")
    set_filter(browser, "status", "failed", "change")
    assert rows(browser) == ["C0"]
    assert browser.evaluate("document.getElementById('filter-count').textContent") == "1 of 4 shown"
    assert browser.complaints() == []


def test_index_says_itself_when_it_is_old(pages, browser):
    hidden = "document.getElementById('index-age').hidden"
    browser.open(pages["trouble"])
    assert browser.evaluate(hidden) is False
    browser.open(pages["index"])
    assert browser.evaluate(hidden) is True


def test_index_reads_without_its_script(pages, browser):
    browser.open(pages["trouble"], scripts=False)
    assert browser.evaluate("document.querySelectorAll('#reports tbody tr').length") == 4
    assert browser.evaluate("document.getElementById('filters').offsetHeight") == 0
    assert browser.evaluate("document.querySelectorAll('button').length") == 0
    browser.open(pages["trouble"])
    assert browser.evaluate("document.getElementById('filters').offsetHeight") > 0


def test_no_other_script_runs(pages, browser, tmp_path):
    """The policy holds where the escaping should ever fail."""
    page = pages["index"].read_text(encoding="utf-8")
    planted = page.replace(
        "<h1>", "<script>document.title = 'planted'</script><img src=x onerror='document.title=1'><h1>"
    )
    (tmp_path / "planted.html").write_text(planted, encoding="utf-8")
    browser.open(tmp_path / "planted.html")
    assert browser.evaluate("document.title") == "Earnings reports"
    assert any("Content Security Policy" in line for line in browser.complaints())
    assert "planted.html" in browser.requests()[0]
