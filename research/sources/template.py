"""A folder of one's own files to begin with: filled in, so that a report works before anything is changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from research.errors import SourceError
from research.sources import sample

#: The company and the date for which the template gives a report as it stands.
TICKER = "META"
EVENT_DATE = "2024-10-30"

_FROM = "2023-01-03"
_EVENT_COLUMNS = [
    "ticker",
    "announced_at",
    "session",
    "fiscal_period",
    "eps_actual",
    "eps_estimate",
    "call_at",
]
_PRICE_COLUMNS = ["date", "ticker", "open", "high", "low", "close", "adj_close", "volume"]

_COLUMNS_TOML = """\
# What the files cannot say themselves. Everything here is optional; take the # away to use a line.

# timezone = "America/New_York"    # zone of times without an offset (10:05 rather than 10:05-04:00)
# calendar = "XNYS"                # exchange whose sessions the dates are (an exchange_calendars code)
market_symbol = "^GSPC"            # what market.csv holds
# date_format = "%d/%m/%Y"         # only where day and month cannot be told apart
# decimal = ","                    # only where it cannot be told from the cells
# returns_unit = "percent"         # of returns.csv and of a return column in market.csv
# factors_unit = "percent"         # of factors.csv; French's own files are in percent

# Other people's column names: ours = "theirs", one table a file.
# [prices]
# date = "Datum"
# close = "PX_LAST"
# [events]
# announced_at = "Report Date"

# Tickers that changed their name: old = "new", in all files alike.
# [aliases]
# FB = "META"
"""

_README = """\
Your own data: edit these files, or put your own in their place, then

    earnings-study report {ticker} {date} --source files:{folder}

events.csv    one row an announcement. ticker and announced_at are needed.
              announced_at with an offset (2024-10-30T16:05:00-04:00), or a bare date with session
              bmo (before the open), dmh (during market hours) or amc (after the close).
prices.csv    date, ticker and close or adj_close; open, high, low and volume where you have them.
              close is adjusted for splits, adj_close also for dividends. One column of closes a
              ticker works as well, and so does returns.csv (date, ticker, ret) in its place.
market.csv    date and close of what the company is measured against.
columns.toml  time zone, number and date formats, other people's column names.

Optional: actions.csv (ex_date, ticker, dividend, split_ratio, absorbed), factors.csv (date and
one column a factor), metrics.csv, intraday/TICKER_YYYY-MM-DD.csv (ts, close); wire.csv (ticker,
announced_at: exact times of press releases) and filings.csv (ticker, accepted_at: the SEC's
acceptances), which correct and sharpen the times of events.csv. Any of them may be Parquet. A cell
that cannot be read is named by file, line and column; nothing is guessed.

The rows here are those of the embedded sample for {ticker}, so that the command above works at once.
"""


def write_template(directory: str | Path) -> Path:
    """Write a filled-in folder for ``files:DIR``.

    Parameters
    ----------
    directory : path
        Must not exist, or be empty.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SourceError
        If the folder holds anything, or cannot be written.
    """
    folder = Path(directory).expanduser()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            problem = "the folder is not empty" if folder.is_dir() else "there is a file of this name"
            raise SourceError(
                f"{problem}; nothing was written",
                parameter="DIR",
                value=str(directory),
                remedy="Name a new folder.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".template-") as scratch:
            made = Path(scratch) / "template"
            made.mkdir()
            for name, text in _files(folder.name or "DIR").items():
                (made / name).write_text(text, encoding="utf-8", newline="\n")
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise SourceError(f"the template cannot be written: {error.strerror or error}", value=str(directory)) from error
    return folder


def _files(folder: str) -> dict[str, str]:
    events = sample.announcements(TICKER).frame
    prices = sample.prices()
    fields = {name: prices.field(name)[TICKER] for name in _PRICE_COLUMNS[2:]}
    bars = pd.DataFrame(fields).loc[_FROM:].dropna(subset="close").reset_index()  # type: ignore[misc]
    bars.insert(1, "ticker", TICKER)
    bars["volume"] = bars["volume"].astype("int64")
    market = sample.market_levels().loc[_FROM:].rename("close").rename_axis("date").reset_index()  # type: ignore[misc]
    return {
        "events.csv": _events_text(events[events["announced_on"] >= _FROM]),
        "prices.csv": bars.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n"),
        "market.csv": market.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n"),
        "columns.toml": _COLUMNS_TOML,
        "README.txt": _README.format(ticker=TICKER, date=EVENT_DATE, folder=folder),
    }


def _events_text(events: pd.DataFrame) -> str:
    def stamp(instant: pd.Timestamp) -> str:
        return "" if pd.isna(instant) else instant.tz_convert("America/New_York").isoformat()

    table = events.reindex(columns=_EVENT_COLUMNS).assign(
        announced_at=[
            stamp(at) or f"{on:%Y-%m-%d}" for at, on in zip(events["announced_at"], events["announced_on"], strict=True)
        ],
        call_at=[stamp(at) for at in events["call_at"]],
    )
    return table.to_csv(index=False, lineterminator="\n")
