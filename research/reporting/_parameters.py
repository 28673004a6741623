"""The notebooks that can be run, and the parameters that each of them declares.

The cell tagged ``parameters`` is the only authority on a notebook's parameters: it is
parsed, never executed, and a value is read as the type that the notebook declares. No
value is ever guessed from its looks: ``ON``, ``007`` or ``1e5`` given for a ``str``
stay the strings they are.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from research.errors import ParameterError, UsageError, in_words, nearest
from research.resources import notebook_directory

#: What a ticker or an index symbol may look like.
TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.\-=^_]{0,19}")
#: What a report's folder may be called.
SLUG = re.compile(r"[a-z0-9_][a-z0-9._-]{0,99}")
#: Ending of the folder beside a report that keeps what its last attempt left.
FAILED = ".failed"
_TICKER_RULE = "1 to 20 of letters, digits and . - = ^ _, beginning with a letter, a digit or ^"
_TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WINDOW = re.compile(r"[+-]?[0-9]{1,6}")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook, as its ``parameters`` cell declares it.

    Attributes
    ----------
    name : str
    type : str
        ``'str'``, ``'int'``, ``'float'`` or ``'bool'``.
    default : str, int, float or bool
    help : str
        The comment behind the declaration, or an empty string.
    """

    name: str
    type: str
    default: str | int | float | bool
    help: str = ""


@dataclass(frozen=True)
class NotebookInfo:
    """A notebook that can be run.

    Attributes
    ----------
    name : str
        File name without its suffix.
    path : Path
    title : str
        Its first level-one heading, or the name where there is none.
    parameters : tuple of Parameter
    """

    name: str
    path: Path
    title: str
    parameters: tuple[Parameter, ...]

    def __repr__(self) -> str:
        return f"NotebookInfo({self.name!r}, parameters={[p.name for p in self.parameters]})"


def notebook_names() -> list[str]:
    """Names of the notebooks in the notebook folder, sorted."""
    return sorted(path.stem for path in notebook_directory().glob("*.ipynb"))


def list_notebooks() -> list[NotebookInfo]:
    """Every notebook of the notebook folder, sorted by name.

    Raises
    ------
    UsageError
        If one of them is unreadable or declares no parameters.
    """
    return [find_notebook(name) for name in notebook_names()]


def find_notebook(name: str) -> NotebookInfo:
    """The notebook called ``name`` (its file name, with or without ``.ipynb``).

    Raises
    ------
    UsageError
        If there is none of that name, or it cannot be run as it is.
    """
    names = notebook_names()
    wanted = str(name).removesuffix(".ipynb")
    if wanted not in names:
        raise UsageError(
            "there is no such notebook",
            parameter="notebook",
            value=name,
            allowed=in_words(names) or "none, the notebook folder is empty",
            remedy=nearest(wanted, names) or None,
        )
    return read_notebook(notebook_directory() / f"{wanted}.ipynb")


def read_notebook(path: str | Path) -> NotebookInfo:
    """Name, title and parameters of the notebook in the file ``path``.

    Raises
    ------
    UsageError
        If the file is no notebook, has no cell tagged ``parameters`` or several, or if
        that cell holds anything but names with a type and a literal default.
    """
    path = Path(path)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [("".join(cell["source"]), cell["cell_type"]) for cell in cells]
        tagged = [
            source
            for (source, kind), cell in zip(sources, cells, strict=True)
            if kind == "code" and "parameters" in cell.get("metadata", {}).get("tags", [])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path.name} cannot be read as a notebook of format 4 ({type(error).__name__}: {error})",
            parameter="notebook",
        ) from error
    if len(tagged) != 1:
        count = "no cell" if not tagged else f"{len(tagged)} cells"
        raise UsageError(
            f"{path.name} has {count} tagged 'parameters'",
            parameter="notebook",
            allowed="exactly one",
            remedy="Tag the cell that declares the defaults, in Jupyter through its property inspector.",
        )
    title = _first_heading(source for source, kind in sources if kind == "markdown")
    return NotebookInfo(path.stem, path, title or path.stem, _declared(tagged[0], path.name))


def _first_heading(sources: Any) -> str:
    for source in sources:
        found = re.search(r"^#[ \t]+(.+?)[ \t#]*$", source, flags=re.MULTILINE)
        if found:
            return str(found.group(1))
    return ""


def _declared(source: str, notebook: str) -> tuple[Parameter, ...]:
    """Parameters that the source of a ``parameters`` cell declares."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise _bad_declaration(notebook, error.lineno or 1, "is no valid Python") from error
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Parameter] = {}
    for statement in statements:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        parameter = _declaration(statement, comments.get(statement.end_lineno or 0, ""), notebook)
        if parameter.name in found:
            raise _bad_declaration(notebook, statement.lineno, f"declares {parameter.name} a second time")
        found[parameter.name] = parameter
    return tuple(found.values())


def _declaration(statement: ast.stmt, comment: str, notebook: str) -> Parameter:
    line = statement.lineno
    target: ast.expr | None = None
    annotation = ""
    if isinstance(statement, ast.AnnAssign):
        target, annotation = statement.target, ast.unparse(statement.annotation).strip("'\"")
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    value = getattr(statement, "value", None)
    if not isinstance(target, ast.Name) or not isinstance(value, ast.expr):
        raise _bad_declaration(notebook, line, "does not give a name its default")
    try:
        default: Any = ast.literal_eval(value)
    except (ValueError, TypeError) as error:
        raise _bad_declaration(notebook, line, f"gives {target.id} a default that is no literal") from error
    annotation = annotation or type(default).__name__
    if annotation not in _TYPES:
        raise _bad_declaration(notebook, line, f"declares {target.id} as {annotation}")
    if annotation == "float" and type(default) is int:
        default = float(default)
    if type(default) is not _TYPES[annotation]:
        raise _bad_declaration(notebook, line, f"declares {target.id} as {annotation} but defaults to {default!r}")
    return Parameter(target.id, annotation, default, comment)


def _bad_declaration(notebook: str, line: int, problem: str) -> UsageError:
    return UsageError(
        f"line {line} of the parameters cell of {notebook} {problem}",
        parameter="notebook",
        allowed="lines such as window: str = '-10,10': str, int, float or bool, with a literal default",
    )


def check_parameters(info: NotebookInfo, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all parameters of a notebook: those given, checked, and the defaults.

    Parameters
    ----------
    info : NotebookInfo
    given : mapping of str to str or value
        A text is read as the type that the notebook declares. A window may also be a
        pair of integers, a list of tickers any list, ``event_date`` a date.

    Returns
    -------
    dict
        In the order of the declaration. A value equal to the default is taken as it is;
        every other one is checked, by type and, for the names that all notebooks share
        (``ticker tickers peers market model event_date window estimation``), by content.

    Raises
    ------
    UsageError
        If the notebook has no parameter of that name; the nearest is suggested.
    ParameterError
        If a value is not of the declared type, or impossible.
    """
    declared = {parameter.name: parameter for parameter in info.parameters}
    for name in given:
        if name not in declared:
            raise UsageError(
                f"the notebook {info.name} has no such parameter",
                parameter=str(name),
                allowed=in_words(declared) or "none",
                remedy=nearest(str(name), list(declared)) or None,
            )
    checked: dict[str, Any] = {}
    for name, parameter in declared.items():
        value = parameter.default
        if name in given:
            value = _coerced(parameter, given[name])
            if value != parameter.default and name in _CHECKS:
                _CHECKS[name](name, value)
        checked[name] = value
    return checked


def _coerced(parameter: Parameter, value: Any) -> Any:
    """``value`` as the declared type; text is parsed, other types must fit exactly."""
    if parameter.type == "str":
        return _text(parameter.name, value)
    if isinstance(value, str):
        text = value.strip()
        if parameter.type == "bool" and text.casefold() in _BOOLEANS:
            return _BOOLEANS[text.casefold()]
        if parameter.type == "int" and _INTEGER.fullmatch(text):
            return int(text)
        if parameter.type == "float" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
    elif type(value) is _TYPES[parameter.type] and (parameter.type != "float" or math.isfinite(value)):
        return value
    elif parameter.type == "float" and type(value) is int:
        return float(value)
    allowed = {"bool": "true or false", "int": "a whole number", "float": "a finite number"}[parameter.type]
    raise ParameterError("this is not of the declared type", parameter=parameter.name, value=value, allowed=allowed)


def _text(name: str, value: Any) -> str:
    if isinstance(value, date):
        value = f"{value:%Y-%m-%d}"
    elif isinstance(value, (list, tuple)) and all(type(item) in (str, int) for item in value):
        value = ",".join(str(item) for item in value)
    if not isinstance(value, str):
        raise ParameterError("this is not of the declared type", parameter=name, value=value, allowed="a text")
    if any(unicodedata.category(character)[0] == "C" for character in value) or re.search("[\u2028\u2029]", value):
        raise ParameterError(
            "control and invisible characters are refused",
            parameter=name,
            value=value,
            allowed="printable text",
        )
    return value


def check_ticker(name: str, value: str) -> None:
    """Refuse what cannot be a ticker, paths and markup above all.

    Raises
    ------
    ParameterError
    """
    if not TICKER.fullmatch(value):
        raise ParameterError("malformed ticker", parameter=name, value=value, allowed=_TICKER_RULE)


def check_slug(slug: str) -> None:
    """Refuse what cannot be the name of a report's folder.

    Raises
    ------
    UsageError
    """
    if not SLUG.fullmatch(slug) or slug.endswith(FAILED):
        raise UsageError("unsafe folder name", parameter="slug", value=slug, allowed=f"a-z 0-9 . _ -, not {FAILED}")


def check_date(name: str, value: str) -> None:
    """Refuse what is no calendar date written as YYYY-MM-DD.

    Raises
    ------
    ParameterError
    """
    try:
        valid = f"{date.fromisoformat(value):%Y-%m-%d}" == value
    except ValueError:
        valid = False
    if not valid:
        raise ParameterError(
            "malformed date", parameter=name, value=value, allowed="a calendar date such as 2024-10-30"
        )


def _check_tickers(name: str, value: str) -> None:
    for item in value.split(","):
        check_ticker(name, item.strip())


def _check_window(name: str, value: str) -> None:
    bounds = [bound.strip() for bound in value.split(",")]
    well_formed = len(bounds) == 2 and all(_WINDOW.fullmatch(bound) for bound in bounds)
    if not well_formed or int(bounds[0]) > int(bounds[1]):
        raise ParameterError(
            "malformed window",
            parameter=name,
            value=value,
            allowed="first and last relative day, such as -10,10",
        )


def _check_model(name: str, value: str) -> None:
    from research.study.models import MODEL_NAMES

    if value not in MODEL_NAMES:
        raise ParameterError(
            "unknown expected-return model",
            parameter=name,
            value=value,
            allowed=in_words(MODEL_NAMES),
            remedy=nearest(value, MODEL_NAMES) or None,
        )


_CHECKS: dict[str, Callable[[str, str], None]] = {
    "ticker": check_ticker,
    "tickers": _check_tickers,
    "peers": _check_tickers,
    "market": check_ticker,
    "model": _check_model,
    "event_date": check_date,
    "window": _check_window,
    "estimation": _check_window,
}
