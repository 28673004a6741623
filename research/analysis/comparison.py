"""Several regressions side by side, the way a paper shows them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.errors import ParameterError

#: Levels of the stars, smallest first.
STARS = ((0.01, "***"), (0.05, "**"), (0.10, "*"))

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, repr=False)
class Comparison:
    """Coefficients of several regressions with their standard errors.

    Attributes
    ----------
    tidy : DataFrame
        One row a specification and coefficient: ``specification, term, estimate, se, t, p_value, low, high``.
    footer : DataFrame
        One column a specification: events, R², and how standard errors were computed.
    digits : int
    stars : bool
    """

    tidy: pd.DataFrame
    footer: pd.DataFrame
    digits: int
    stars: bool

    @property
    def frame(self) -> pd.DataFrame:
        """The table as texts: a line of coefficients, below it their standard errors in brackets."""
        names = list(self.footer.columns)
        lines: dict[tuple[str, str], list[str]] = {}
        for term in dict.fromkeys(self.tidy["term"]):
            cells = [self._cell(term, name) for name in names]
            lines[term, ""] = [cell[0] for cell in cells]
            lines[term, "se"] = [cell[1] for cell in cells]
        for label in self.footer.index:
            lines[str(label), ""] = [str(value) for value in self.footer.loc[label]]
        index = pd.MultiIndex.from_tuples(lines, names=["", " "])
        return pd.DataFrame(list(lines.values()), index=index, columns=names)

    def _cell(self, term: str, name: str) -> tuple[str, str]:
        found = self.tidy[(self.tidy["term"] == term) & (self.tidy["specification"] == name)]
        if not len(found):
            return "", ""
        one = found.iloc[0]
        mark = next((text for level, text in STARS if one["p_value"] < level), "") if self.stars else ""
        return self._number(one["estimate"]) + mark, f"({self._number(one['se'])})"

    def _number(self, value: float) -> str:
        return "–" if np.isnan(value) else f"{value:.{self.digits}f}".replace("-", _MINUS)

    @property
    def legend(self) -> str:
        """What the brackets and stars mean."""
        text = "Standard errors in brackets."
        if self.stars:
            text += " " + ", ".join(f"{mark} p < {level:g}" for level, mark in reversed(STARS)) + "."
        return text

    def __repr__(self) -> str:
        return f"{self.frame.to_string()}\n{self.legend}"

    def _repr_html_(self) -> str:
        names = list(self.footer.columns)
        head = "".join(f'<th scope="col" class="num">{html.escape(name)}</th>' for name in names)
        lines = []
        for term in dict.fromkeys(self.tidy["term"]):
            cells = [self._cell(term, name) for name in names]
            body = "".join(
                f'<td class="num">{html.escape(estimate)}<br>{html.escape(se)}</td>' for estimate, se in cells
            )
            lines.append(f'<tr><th scope="row">{html.escape(term)}</th>{body}</tr>')
        for label in self.footer.index:
            body = "".join(f'<td class="num">{html.escape(str(value))}</td>' for value in self.footer.loc[label])
            lines.append(f'<tr><th scope="row">{html.escape(str(label))}</th>{body}</tr>')
        return (
            f'<table class="data"><caption>{html.escape(self.legend)}</caption>'
            f'<thead><tr><th scope="col">coefficient</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        )

    def to_latex(self) -> str:
        """The table as a ``tabular`` with booktabs rules; needs no other package."""
        names = list(self.footer.columns)
        rows = [" & " + " & ".join(_latex(name) for name in names) + r" \\", r"\midrule"]
        for term in dict.fromkeys(self.tidy["term"]):
            cells = [self._cell(term, name) for name in names]
            rows.append(f"{_latex(term)} & " + " & ".join(_latex_number(cell[0]) for cell in cells) + r" \\")
            rows.append(" & " + " & ".join(_latex_number(cell[1]) for cell in cells) + r" \\")
        rows.append(r"\midrule")
        rows += [
            f"{_latex(str(label))} & " + " & ".join(_latex(str(value)) for value in self.footer.loc[label]) + r" \\"
            for label in self.footer.index
        ]
        columns = "l" + "r" * len(names)
        body = "\n".join(rows)
        return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n% {self.legend}\n"


_LATEX = (
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"²": "$^2$", "–": "--"}
)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(mark, mark) for mark in text)


def _latex_number(text: str) -> str:
    """A number with a minus sign and raised stars."""
    plain = text.rstrip("*")
    stars = text[len(plain) :]
    shown = plain.replace(_MINUS, "$-$").replace("–", "--")
    return f"{shown}$^{{{stars}}}$" if stars else shown


def compare(
    fits: Mapping[str, Any] | Sequence[Any], *, digits: int = 4, stars: bool = True, hide: Sequence[str] = ()
) -> Comparison:
    """Put several regressions side by side.

    Parameters
    ----------
    fits : mapping of heading to results, or a sequence (then headed ``(1)``, ``(2)`` ...)
        What ``regress`` or ``quantile_regressions`` returned, or any statsmodels results.
    digits : int, default 4
    stars : bool, default True
        Mark p below 0.10, 0.05 and 0.01.
    hide : sequence of str
        Beginnings of coefficient names to leave out, such as the dummies of fixed effects ``"ticker="``.

    Returns
    -------
    Comparison
        ``.frame`` for a DataFrame, ``.tidy`` for the numbers, ``.to_latex()``; shows as HTML in Jupyter.

    Raises
    ------
    ParameterError
        If there is nothing to compare, or the digits are negative.
    """
    named = dict(fits) if isinstance(fits, Mapping) else {f"({i})": fit for i, fit in enumerate(fits, start=1)}
    if not named:
        raise ParameterError("nothing to compare", parameter="fits", allowed="at least one fitted regression")
    strange = [name for name, fit in named.items() if not hasattr(fit, "conf_int")]
    if strange:
        raise ParameterError(
            "not a fitted regression", parameter="fits", value=strange[0], allowed="what regress returned, and the like"
        )
    if digits < 0:
        raise ParameterError("negative digits", parameter="digits", value=digits)
    parts, footers = [], {}
    for name, fit in named.items():
        limits = np.asarray(fit.conf_int())
        part = pd.DataFrame(
            {
                "specification": str(name),
                "term": [str(term) for term in fit.model.exog_names],
                "estimate": np.asarray(fit.params),
                "se": np.asarray(fit.bse),
                "t": np.asarray(fit.tvalues),
                "p_value": np.asarray(fit.pvalues),
                "low": limits[:, 0],
                "high": limits[:, 1],
            }
        )
        parts.append(part[~part["term"].str.startswith(tuple(hide))] if len(hide) else part)
        footers[str(name)] = _footer(fit, digits)
    tidy = pd.concat(parts, ignore_index=True)
    # The intercept last, as papers have it.
    order = sorted(dict.fromkeys(tidy["term"]), key=lambda term: term == "Intercept")
    tidy = tidy.sort_values("term", key=lambda terms: terms.map(order.index), kind="stable", ignore_index=True)
    return Comparison(tidy, pd.DataFrame(footers).fillna(""), digits, stars)


def _footer(fit: Any, digits: int) -> dict[str, str]:
    quantile = hasattr(fit, "prsquared") and hasattr(fit, "q")
    explained = fit.prsquared if quantile else fit.rsquared
    own = getattr(fit, "choices", {"standard errors": str(getattr(fit, "cov_type", ""))})
    label = "pseudo R²" if quantile else "R²"
    return {"events": f"{int(fit.nobs):,}", label: f"{explained:.{max(digits - 1, 0)}f}", **own}
