"""Figures carry the numbers behind them: what the page folds under each picture."""

import json
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_announcement_report import EVENT, ZONE, folder, run, tape

from research.reporting import html, plots, plots_reaction
from research.reporting._figure_data import MOST_POINTS, behind, in_groups, wide
from research.reporting.plots import Picture

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

SVG = "image/svg+xml"


def pictures(monkeypatch, notebook, **parameters):
    """Metadata of every figure that a notebook makes, in order."""
    made = []
    plain = Picture.__repr__

    def shown(self):
        made.append(self._repr_mimebundle_()[1][SVG])
        return plain(self)

    monkeypatch.setattr(Picture, "__repr__", shown)
    found = run(notebook, **parameters)
    return found, made


def complete(described):
    """Alt and a table of equally long rows that JSON and the page take."""
    data = described["data"]
    assert described["alt"]
    assert data["rows"]
    assert all(len(row) == len(data["columns"]) for row in data["rows"])
    assert len(set(data["columns"])) == len(data["columns"])
    cells = [cell for row in data["rows"] for cell in row]
    assert all(isinstance(cell, str | int | float) for cell in cells)
    json.dumps(data, allow_nan=False)
    return pd.DataFrame(data["rows"], columns=data["columns"])


@pytest.mark.parametrize("date", ["2024-10-30", "2024-04-18"])  # a known evening; two possible days
def test_every_figure_of_the_announcement_has_its_data(monkeypatch, date):
    _, made = pictures(monkeypatch, "announcement", event_date=date)
    assert len(made) >= 6
    assert all(len(complete(described)) <= 260 for described in made)


@pytest.mark.parametrize(("notebook", "figures"), [("spillover", 2), ("cross_section", 4), ("drift", 3)])
def test_every_figure_of_the_other_reports_has_its_data(monkeypatch, notebook, figures):
    _, made = pictures(monkeypatch, notebook)
    assert len(made) >= figures
    assert all(len(complete(described)) <= MOST_POINTS for described in made)


def test_data_are_the_numbers_of_the_study(monkeypatch):
    found, made = pictures(monkeypatch, "announcement")
    tables = [complete(described) for described in made]
    case = found.names["case"]
    evening = next(table for table in tables if "station" in table)
    assert dict(zip(evening["station"], evening["price, dollars"], strict=False))["release"] == "596.76"
    assert evening["exchange time"].tolist()[1] == "2024-10-30T16:05-04:00"
    legs = evening["log return, log %"].tolist()
    assert legs[0] == ""
    assert sum(legs[1:]) == pytest.approx(100 * np.log1p(case.reaction.simple["close_to_close"]), abs=5e-3)
    path = next(table for table in tables if "running sum, %" in table).set_index("relative day")
    assert path.loc[0, "abnormal return, %"] == pytest.approx(100 * case.day["ar"], rel=5e-4)
    residuals = next(table for table in tables if "residual, %" in table)
    own = case.results.estimation_path(case.event["event_id"])
    assert residuals["session"].tolist() == [f"{day:%Y-%m-%d}" for day in own.index]
    assert residuals["cut"].tolist() == ["yes" if cut else "no" for cut in own["cut"]]
    assert (residuals["residual, %"] == "").tolist() == own["residual"].isna().tolist()


def test_legs_without_bars_end_in_their_total(monkeypatch, tmp_path):
    source = folder(tmp_path, None)
    choices = {"ticker": "ACME", "event_date": f"{EVENT:%Y-%m-%d}", "source": source, "market_bars": ""}
    _, made = pictures(monkeypatch, "announcement", **choices)
    legs = next(table for table in map(complete, made) if "leg" in table).set_index("leg")["log return, log %"]
    assert legs["total"] == pytest.approx(legs.drop("total").sum(), abs=2e-3)


def test_every_leg_stands_beside_the_station_where_it_ends(monkeypatch, tmp_path):
    source = folder(tmp_path, tape())
    choices = {"ticker": "ACME", "event_date": f"{EVENT:%Y-%m-%d}", "source": source}
    found, _ = pictures(monkeypatch, "announcement", **choices)
    reaction = found.names["case"].reaction
    table = plots_reaction.evening(reaction, "ACME", ZONE).data
    assert len(table) == len(reaction.points)
    assert table["leg that ends there"].isna().tolist() == [True] + [False] * len(reaction.segments)


# ------------------------------------------------------------------ cells


def described(frame):
    return Picture(Figure(), "alt", "caption", frame)._repr_mimebundle_()[1][SVG]


def test_cells_are_texts_and_plain_numbers():
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2024-10-30", None]),
            "at": pd.to_datetime(["2024-10-30T20:05:07Z", None]),
            "small": [0.0123456, np.nan],
            "tiny": [-1e-9, 0.0],
            "large": [-123456.7, np.inf],
            "n": [np.int64(3), 4],
            "yes": [np.True_, False],
            "text": ["a", None],
            "maybe": pd.array([1, None], dtype="Int64"),
        }
    )
    data = described(frame)["data"]
    assert data["columns"] == list(frame.columns)
    assert data["rows"] == [
        ["2024-10-30", "2024-10-30T20:05:07+00:00", 0.0123, 0.0, -123457.0, 3, "yes", "a", 1],
        ["", "", "", 0.0, "∞", 4, "no", "", ""],
    ]
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_missing_numbers_are_empty_cells_of_the_page():
    data = described(pd.DataFrame({"day": [-1, 0], "CAR, %": [-1.23456, np.nan]}))["data"]
    shown = html._figure_data({"metadata": {SVG: {"data": data}}}, SVG)
    assert re.findall(r"<td>([^<]*)</td>", shown) == ["−1", "−1.235", "0", ""]


def test_a_picture_without_data_has_none():
    assert set(described(None)) == {"alt", "caption"}


def test_percentages_are_told_by_their_heading():
    frame = pd.DataFrame({"a": [0.01, None], "b": [0.01, 2.0]}, index=[7, 3])
    found = behind(frame, {"b": "ratio", "a": "return, %"})
    assert found.columns.tolist() == ["ratio", "return, %"]
    assert found["ratio"].tolist() == [0.01, 2.0]
    assert found["return, %"].iloc[0] == 1.0
    assert frame["a"].iloc[0] == 0.01


def test_groups_hold_every_pair_once():
    rng = np.random.default_rng(5)
    x, y = pd.Series(rng.normal(size=1000)), pd.Series(rng.normal(size=1000))
    y[3] = np.nan
    found = in_groups(x, y, ("x", "y"))
    assert len(found) == 20
    assert found["points"].sum() == 999
    assert (found["points"] * found["mean y, %"]).sum() == pytest.approx(100 * y.sum())
    assert (found["to, %"].to_numpy()[:-1] < found["x from, %"].to_numpy()[1:]).all()


def test_paths_lie_side_by_side():
    paths = pd.DataFrame(
        {"g": [0, 0, 1], "relative_day": [1, 2, 2], "car": [0.01, 0.02, 0.03], "low": 0.0, "high": 0.1}
    )
    found = wide(paths, "g", {0: "worst", 1: "best", 2: "absent"}, "car", [1])
    assert found.columns.tolist() == ["relative day", "worst, %", "best, %", "best, 95% from, %", "best, to, %"]
    assert described(found)["data"]["rows"] == [[1, 1.0, "", "", ""], [2, 2.0, 3.0, 0.0, 10.0]]


def test_figures_are_the_same_whatever_the_settings_of_matplotlib_are():
    table = pd.DataFrame({"label": ["market"], "ar": [-0.014], "low": [-0.04], "high": [0.01]})
    plain = plots.side_by_side(table, "META").svg()
    with mpl.rc_context({"axes.grid": True, "lines.linewidth": 5, "text.usetex": True, "savefig.bbox": "tight"}):
        assert plots.side_by_side(table, "META").svg() == plain
        assert mpl.rcParams["lines.linewidth"] == 5
