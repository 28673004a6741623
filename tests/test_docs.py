"""Documents and code stay together: names, functions, tests and links that a page mentions exist."""

import ast
import doctest
import importlib
import math
import re
import shlex
import warnings
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from research import cli
from research.analysis.simulation import REFERENCE
from research.errors import ResearchWarning
from research.reporting.notebooks import check_parameters, find_notebook
from research.study.alignment import REASONS
from research.study.inference import HEADLINE, TEST_NAMES, resolve_tests
from research.study.models import MODEL_NAMES

ROOT = Path(__file__).resolve().parent.parent
METHODS = ROOT / "docs" / "methods.md"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "data" / "README.md"]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")


def dotted_references(text):
    return sorted(set(re.findall(r"`(research(?:\.\w+)+)", text)))


def named_tests(text):
    return sorted(set(re.findall(r"\b(tests/\w+\.py)::(\w+)", text)))


@cache
def functions_of(path):
    """Names of the functions of a file; None for a file that does not exist."""
    file = ROOT / path
    if not file.is_file():
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def resolve(dotted):
    """The object that a dotted name stands for, and the module it lives in."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        name = ".".join(parts[:n])
        try:
            module = found = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # A missing package inside the module is a fault of its own, not a name to be shortened.
            if error.name is None or not name.startswith(error.name):
                raise
            continue
        for part in parts[n:]:
            # Fields of a dataclass without a default are annotations, not attributes of the class.
            if not hasattr(found, part) and part in getattr(found, "__dataclass_fields__", {}):
                return found, module
            found = getattr(found, part)
        return found, module
    raise AssertionError(f"nothing can be imported of {dotted}")


def anchors(path):
    """Anchors that GitHub gives to the headings of a page."""
    found, seen = set(), {}
    for heading in re.findall(r"^#{1,6} +(.+?)\s*#*$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
        seen[slug] = seen.get(slug, 0) + 1
    return found


def table_with(column):
    """Cells of the rows of the table in the methods whose first heading is ``column``."""
    lines = METHODS.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {column} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def first_names(rows):
    return [re.match(r"`([^`]+)`", row[0])[1] for row in rows]


def test_methods_have_every_test_in_order_with_its_default():
    rows = table_with("test")
    assert first_names(rows) == list(TEST_NAMES)
    default = [name for name, row in zip(TEST_NAMES, rows, strict=True) if row[2].startswith("yes")]
    assert default == resolve_tests("default")
    assert [name for name, row in zip(TEST_NAMES, rows, strict=True) if "headline" in row[2]] == [HEADLINE]


def test_methods_have_every_model_in_order():
    assert first_names(table_with("name")) == list(MODEL_NAMES)


def test_methods_have_every_reason_of_the_ledger_in_order():
    assert first_names(table_with("reason")) == list(REASONS)


def test_methods_print_the_reference_rates_of_the_simulations():
    lines = METHODS.read_text(encoding="utf-8").splitlines()
    printed = {}
    for i, line in enumerate(lines):
        if line.startswith("| design |"):
            names = re.findall(r"`(\w+)`", line)
            for row in lines[i + 2 :]:
                if not row.startswith("|"):
                    break
                design, *cells = [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]
                printed[design.strip("`")] = dict(zip(names, cells, strict=True))
    wanted = {
        design: {test: "" if math.isnan(rate) else f"{rate:.3f}" for test, rate in rates.items()}
        for design, rates in REFERENCE.items()
    }
    assert printed == wanted


def cited_sections():
    """Numbers of the specification that docstrings and comments cite, ranges written out."""
    found = {}
    pattern = re.compile(r"METHODS (\d+(?:\.\d+b?)?(?:(?:, | and | to )\d+\.\d+b?)*)")
    for path in sorted((ROOT / "research").rglob("*.py")):
        for cited in pattern.findall(path.read_text(encoding="utf-8")):
            for part in re.split(r", | and ", cited):
                first, _, last = part.partition(" to ")
                numbers = [first]
                if last:
                    chapter, start = first.split(".")
                    numbers = [f"{chapter}.{n}" for n in range(int(start), int(last.split(".")[1]) + 1)]
                for number in numbers:
                    found.setdefault(number, path.relative_to(ROOT).as_posix())
    return found


def test_section_numbers_in_docstrings_are_explained():
    explained = {row[0] for row in table_with("number")}
    unexplained = {number: path for number, path in cited_sections().items() if number not in explained}
    assert not unexplained


@pytest.mark.parametrize("dotted", dotted_references(METHODS.read_text(encoding="utf-8")))
def test_functions_named_in_the_methods_exist(dotted):
    resolve(dotted)


@pytest.mark.parametrize(("path", "name"), named_tests(METHODS.read_text(encoding="utf-8")))
def test_tests_named_in_the_methods_exist(path, name):
    known = functions_of(path)
    assert known is not None, f"{path} does not exist"
    assert name in known, f"{path} has no {name}"


def test_links_of_the_methods_lead_to_the_file_of_what_they_name():
    """The text of a link is a function or a test; its target is the file in which that stands."""
    wrong = []
    for text, target in _LINK.findall(METHODS.read_text(encoding="utf-8")):
        name = text.strip("`")
        if name.startswith("research."):
            expected = Path(resolve(name)[1].__file__).resolve()
        elif name.startswith("tests/"):
            expected = ROOT / name.split("::")[0]
        else:
            continue
        if (METHODS.parent / target).resolve() != expected:
            wrong.append(f"{name} -> {target}")
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_resolve(page):
    broken = []
    for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = match["target"]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, fragment = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        found = file.is_relative_to(ROOT) and file.exists()
        if not found or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            broken.append(target)
    assert not broken


def test_display_formulas_are_closed_and_balanced():
    """Every formula block ends, and its braces match: GitHub shows a page with one error as source text."""
    text = METHODS.read_text(encoding="utf-8")
    assert text.count("```") % 2 == 0
    blocks = re.findall(r"^```math\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 30
    for block in blocks:
        plain = block.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}"), block
        assert plain.count(r"\left") == plain.count(r"\right"), block


def test_inline_formulas_are_paired_and_survive_markdown():
    """Dollars come in pairs; markdown would take the backslash of an escaped punctuation mark away."""
    for paragraph in _FENCE.sub("", METHODS.read_text(encoding="utf-8")).split("\n\n"):
        assert paragraph.count("$") % 2 == 0, paragraph
        for formula in re.findall(r"\$([^$]+)\$", paragraph):
            assert not re.search(r"\\[^A-Za-z]|\n", formula), formula


# -- what a reader copies ---------------------------------------------------------------------


def code_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shell_lines(program):
    """Every line of a shell block of any page that calls ``program``, as words."""
    for page in PAGES:
        for block in code_blocks(page, "sh"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == [program]:
                    yield words[1:]


def test_every_command_on_a_page_is_understood():
    lines = list(shell_lines("earnings-study"))
    assert len(lines) > 15
    for words in lines:
        try:
            options = cli._parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"earnings-study {shlex.join(words)}")
        if options.command in ("report", "run"):
            info = find_notebook(getattr(options, "notebook", "announcement"))
            check_parameters(info, dict(item.split("=", 1) for item in options.parameter))


def test_every_target_on_a_page_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[0] for words in shell_lines("make")}
    for page in PAGES:
        named |= set(re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8")))
    assert {"report", "test", "lab", "lint"} <= named <= targets


def test_papermill_is_given_parameters_that_the_notebook_has():
    lines = [words for words in shell_lines("papermill") if words[0].startswith("notebooks/")]
    assert lines
    for words in lines:
        info = find_notebook(Path(words[0]).stem)
        given = dict(zip(words[3::3], words[4::3], strict=True))
        assert set(words[2::3]) == {"-r"}
        check_parameters(info, given)


@pytest.mark.slow
def test_python_in_the_readme_runs_as_it_stands():
    (code,) = code_blocks(ROOT / "README.md", "python")
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResearchWarning)
        exec(code, names)
    assert len(names["results"]) == 999


@pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")
def test_examples_in_docstrings_give_what_they_show():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "research").rglob("*.py")
        if ">>> " in path.read_text(encoding="utf-8")
    ]
    assert len(modules) > 1
    for name in modules:
        failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
        assert tried
        assert not failed, name
