"""What an error says, and what it carries."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from research import errors


def test_a_message_says_what_where_allowed_and_remedy():
    error = errors.ParameterError("no such thing", parameter="kind", value="x", allowed="a, b", remedy="Choose one.")
    assert str(error) == "kind: no such thing (got 'x'); allowed: a, b. Choose one."
    assert (error.parameter, error.value, error.allowed, error.remedy) == ("kind", "x", "a, b", "Choose one.")
    assert str(errors.ResearchError("it failed")) == "it failed"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pd.Timestamp("2024-01-06"), "2024-01-06"),
        (pd.Timestamp("2024-01-06 16:05"), "2024-01-06T16:05:00"),
        (pd.Timestamp("2024-01-06", tz="America/New_York"), "2024-01-06T00:00:00-05:00"),
        (np.float64(1.5), "1.5"),
        (np.int64(3), "3"),
        ("1,5", "'1,5'"),
        (0, "0"),
        (pd.NaT, "NaT"),
    ],
)
def test_values_are_shown_as_a_reader_would_write_them(value, shown):
    rows = errors.offences([(7, "date", value, "is wrong")])
    assert str(errors.InputError("bad", rows=rows)) == f"bad\n  row 7, date: is wrong (got {shown})"
    assert str(errors.ResearchError("bad", value=value)) == f"bad (got {shown})"


def test_twenty_rows_are_printed_and_all_travel_along():
    rows = errors.offences((row, "close", None, "is missing") for row in range(25))
    error = errors.InputError("bad", rows=rows)
    lines = str(error).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  ... and 5 more (all of them in the error's .rows)"
    assert len(error.rows) == 25


@pytest.mark.parametrize("kind", [errors.InputError, errors.CalendarRangeError])
def test_errors_cross_processes_whole(kind):
    error = kind("bad", rows=errors.offences([(1, "a", 2.0, "is wrong")]), parameter="p", remedy="Mend it.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.problem, again.parameter, again.remedy) == ("bad", "p", "Mend it.")
    pd.testing.assert_frame_equal(again.rows, error.rows)


def test_every_error_is_of_one_family_and_says_its_exit_code():
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    family = [kind for kind in kinds if not issubclass(kind, Warning)]
    assert all(issubclass(kind, errors.ResearchError) for kind in family)
    usage = {kind for kind in family if kind.exit_code == 2}
    assert usage == {errors.UsageError, errors.ParameterError}


def test_nearest_names():
    assert errors.nearest("amzm", ["AMZN", "META"]) == "Did you mean 'AMZN'?"
    assert errors.nearest("zzz", ["AMZN", "META"]) == ""
    assert errors.in_words(range(32), limit=30).endswith("29 ... (2 more)")
