"""Turn the raw tables of the sample into the form in which they ship.

Usage: ``python data/build_sample.py RAW [OUTPUT]``, where RAW is the folder of the raw
tables (CSV and one YAML fact card) and OUTPUT defaults to ``data/sample`` beside this file.

Tables a person reads stay CSV and are copied byte for byte. Prices and minute bars
become Parquet: parsing 71,000 rows of decimals takes longer than everything else a
report does. Every decimal becomes the nearest double, so that nothing is lost. Equal
input gives equal bytes as long as the version of pyarrow stays the same (it signs its files).
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

COPIED = ("events.csv", "timeline.csv", "actions.csv")
DAILY = ("prices_daily", "prices_sp500_20", "market_daily")
INTRADAY = ("intraday_META_2024-10-30", "intraday_SPXL_2024-10-30")

METRIC_COLUMNS = (
    "ticker",
    "announced_at",
    "metric",
    "actual",
    "estimate",
    "unit",
    "source",
    "estimate_source",
    "basis",
    "estimate_as_of",
    "note",
)
#: Metric, where its actual value stands on the fact card, where what it is compared with
#: stands (None: nothing to compare with), unit of the row, basis of the comparison.
METRICS: tuple[tuple[str, str, str | None, str, str], ...] = (
    ("eps", "results.eps_diluted", "expectations_before.eps_lseg", "USD", "consensus"),
    ("eps", "results.eps_diluted", "expectations_before.eps_factset", "USD", "consensus"),
    ("eps", "results.eps_diluted", "expectations_before.eps_seeking_alpha_implied", "USD", "consensus"),
    ("eps", "results.eps_diluted", "expectations_before.eps_yahoo_later_vintage", "USD", "consensus"),
    ("eps", "results.eps_diluted", "results.eps_diluted_year_ago", "USD", "year_ago"),
    ("revenue", "results.revenue", "expectations_before.revenue_lseg", "USD_billion", "consensus"),
    ("revenue", "results.revenue", "expectations_before.revenue_other_press", "USD_billion", "consensus"),
    ("revenue", "results.revenue", "results.revenue_year_ago", "USD_billion", "year_ago"),
    (
        "family_daily_active_people",
        "results.family_daily_active_people",
        "expectations_before.family_daily_active_people",
        "billion",
        "consensus",
    ),
    (
        "reality_labs_operating_loss",
        "results.reality_labs_operating_loss",
        "expectations_before.reality_labs_operating_loss",
        "USD_billion",
        "consensus",
    ),
    (
        "reality_labs_revenue",
        "results.reality_labs_revenue",
        "expectations_before.reality_labs_revenue",
        "USD_million",
        "consensus",
    ),
    (
        "fourth_quarter_revenue_midpoint",
        "guidance.fourth_quarter_revenue.midpoint",
        "expectations_before.fourth_quarter_revenue",
        "USD_billion",
        "consensus",
    ),
    (
        "capex_2024_low",
        "guidance.capex_2024.low",
        "guidance.capex_2024.previous_low",
        "USD_billion",
        "previous_guidance",
    ),
    (
        "capex_2024_high",
        "guidance.capex_2024.high",
        "guidance.capex_2024.previous_high",
        "USD_billion",
        "previous_guidance",
    ),
    (
        "total_expenses_2024_low",
        "guidance.total_expenses_2024.low",
        "guidance.total_expenses_2024.previous_low",
        "USD_billion",
        "previous_guidance",
    ),
    (
        "total_expenses_2024_high",
        "guidance.total_expenses_2024.high",
        "guidance.total_expenses_2024.previous_high",
        "USD_billion",
        "previous_guidance",
    ),
    ("capex_2024_q3", "results.capital_expenditures_incl_finance_leases", None, "USD_billion", ""),
    ("capex_2025", "guidance.capex_2025", None, "", ""),
)
#: Whose consensus it is, where the page that prints it says so.
_COMPILED_BY = {
    "expectations_before.eps_lseg": "LSEG",
    "expectations_before.revenue_lseg": "LSEG",
    "expectations_before.eps_factset": "FactSet",
}
#: Remarks of the fact card that make no sense outside it.
_REMARKS = {
    "; read in a local verification copy": "",
    "(prints EPS 6.06, an error; not used)": "(its actual EPS is a misprint and is not used)",
}
_IN_DOLLARS = {"USD": Decimal(1), "USD_million": Decimal(10) ** 6, "USD_billion": Decimal(10) ** 9}


def read_columns(path: Path) -> dict[str, list[str]]:
    """Columns of a CSV file as lists of text."""
    with path.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    return {name: [row[position] for row in rows] for position, name in enumerate(header)}


def typed(name: str, cells: list[str]) -> pa.Array:
    """One column in its own type; an empty cell becomes null."""
    if name == "date":
        return pa.array([dt.date.fromisoformat(cell) for cell in cells], pa.date32())
    if name == "ts":
        instants = [dt.datetime.fromisoformat(cell).astimezone(dt.UTC) for cell in cells]
        return pa.array(instants, pa.timestamp("ms", tz="UTC"))
    if name == "ticker":
        return pa.array(cells).dictionary_encode()
    if name == "volume":
        return pa.array([int(cell) if cell else None for cell in cells], pa.int64())
    if name == "complete_minute_run":
        return pa.array([{"True": True, "False": False}[cell] for cell in cells], pa.bool_())
    return pa.array([float(cell) if cell else None for cell in cells], pa.float64())


def write_parquet(source: Path, target: Path) -> None:
    """Typed Parquet from a CSV; only the tickers repeat often enough for a dictionary."""
    table = pa.table({name: typed(name, cells) for name, cells in read_columns(source).items()})
    dictionary = [name for name in ("ticker",) if name in table.column_names]
    pq.write_table(table, target, compression="zstd", compression_level=19, use_dictionary=dictionary)


def entry(card: dict[str, Any], where: str) -> tuple[Decimal | None, str, str, str]:
    """Value, unit, source key and note at a place such as ``guidance.capex_2024.low``."""
    section, key, *part = where.split(".")
    record = card[section][key]
    if part == ["midpoint"]:
        value = (Decimal(str(record["low"])) + Decimal(str(record["high"]))) / 2
    else:
        raw = record.get(part[0] if part else "value")
        value = None if raw is None else Decimal(str(raw))
    return value, record.get("unit", ""), record["source"], record.get("note", record.get("text", ""))


def in_unit(value: Decimal | None, given: str, wanted: str) -> str:
    """Figure as plain text in the unit of its row."""
    if value is None:
        return ""
    if given != wanted:
        value = value * _IN_DOLLARS[given] / _IN_DOLLARS[wanted]
    return f"{value:f}"


def _trimmed(citation: str) -> str:
    for remark, instead in _REMARKS.items():
        citation = citation.replace(remark, instead)
    return citation


def estimate_citation(where: str | None, printed_by: str) -> str:
    """Who compiled the expectation, if known, and where it was printed."""
    compiler = _COMPILED_BY.get(where or "")
    return f"{compiler} consensus in: {printed_by}" if compiler else printed_by


def write_metrics(raw: Path, target: Path) -> None:
    """Long table of what was reported beside what it is compared with, each with its source."""
    card = yaml.safe_load((raw / "facts_META_2024Q3.yaml").read_text(encoding="utf-8"))
    cited = {key: _trimmed(text) for key, text in card["sources"].items()}
    event = card["event"]
    rows = []
    for metric, actual_at, estimate_at, unit, basis in METRICS:
        actual, actual_unit, source, note = entry(card, actual_at)
        estimate, estimate_unit, estimate_key, estimate_note = (
            entry(card, estimate_at) if estimate_at else (None, "", "", "")
        )
        rows.append(
            {
                "ticker": event["ticker"],
                "announced_at": event["wire_release_about"]["value"],
                "metric": metric,
                "actual": in_unit(actual, actual_unit, unit),
                "estimate": in_unit(estimate, estimate_unit, unit),
                "unit": unit,
                "source": cited[source],
                "estimate_source": estimate_citation(estimate_at, cited.get(estimate_key, "")),
                "basis": basis,
                "estimate_as_of": "",  # none of the pages dates its consensus figure
                "note": "; ".join(dict.fromkeys(text for text in (note, estimate_note) if text)),
            }
        )
    with target.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, METRIC_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def build(raw: Path, output: Path) -> None:
    """Write the whole sample."""
    output.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copyfile(raw / name, output / name)
    for name in (*DAILY, *INTRADAY):
        write_parquet(raw / f"{name}.csv", output / f"{name}.parquet")
    write_metrics(raw, output / "metrics.csv")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("raw", type=Path, help="folder of the raw tables")
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).resolve().parent / "sample")
    arguments = parser.parse_args()
    build(arguments.raw, arguments.output)


if __name__ == "__main__":
    main()
