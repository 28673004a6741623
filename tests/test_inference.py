"""Every test statistic of METHODS 9 against a plain loop written from its formula, or scipy."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import research as es
from research.study import correlation, resampling
from research.study.inference import TEST_NAMES
from research.study.parametric import skewness_adjusted
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

WINDOWS = [(0, 0), (0, 1), (-1, 1), (-10, -1)]


@pytest.fixture(scope="module")
def panel():
    return ragged_panel()


@pytest.fixture(scope="module")
def results(panel):
    return es.EventStudy(panel.announcements, panel.returns, market=panel.market, min_observations=60).fit()


@pytest.fixture(scope="module")
def table(results):
    """Rows by test, for each window."""
    rows = results.test(WINDOWS, tests="all", seed=3, draws=499)
    return {window: rows[rows["window"].map(window.__eq__)].set_index("test") for window in WINDOWS}


@pytest.fixture(scope="module")
def residuals(results):
    """Estimation residuals by event: columns are relative days -250..-11, NaN where unused."""
    out = np.full((len(results), 240), np.nan)
    for i in range(len(results)):
        path = results.estimation_path(i)
        out[i, 240 - len(path) :] = path["residual"]
    return out


class Sample:
    """What a loop needs of one window."""

    def __init__(self, results, residuals, window):
        car = results.car(*window)
        keep = car["car"].notna().to_numpy()
        self.car, self.se = car["car"].to_numpy()[keep], car["se"].to_numpy()[keep]
        self.scar, self.df, self.n = self.car / self.se, car["df"].to_numpy()[keep], int(keep.sum())
        self.length = window[1] - window[0] + 1
        self.columns = slice(window[0] + 10, window[1] + 11)
        self.residuals = residuals[keep]
        self.ar = results.abnormal_returns.to_numpy()[keep]
        self.ar_se = results.standard_errors.to_numpy()[keep]
        self.sigma = results.parameters["sigma"].to_numpy()[keep]
        dates = results.index.get_level_values("day_zero")[keep]
        self.days = np.asarray(dates)
        grid = pd.DatetimeIndex(es.TradingCalendar("XNYS").sessions)
        self.position = grid.get_indexer(dates)


@pytest.fixture(scope="module", params=WINDOWS, ids=str)
def case(request, results, residuals, table):
    return Sample(results, residuals, request.param), table[request.param]


def check(row, statistic, n, df=None, rtol=1e-9):
    np.testing.assert_allclose(row["statistic"], statistic, rtol=rtol, atol=1e-12)
    assert row["n_events"] == n
    if df is None:
        assert np.isnan(row["df"])
        np.testing.assert_allclose(row["p_value"], 2 * stats.norm.sf(abs(statistic)), rtol=1e-8)
    else:
        np.testing.assert_allclose(row["df"], df)
        np.testing.assert_allclose(row["p_value"], 2 * stats.t.sf(abs(statistic), df), rtol=1e-8)


def test_the_table_has_every_test_in_order(table):
    assert list(table[0, 1].index) == list(TEST_NAMES)
    assert (table[0, 1][["null", "distribution", "definition"]] != "").all().all()


def test_means_and_patell(case):
    s, t = case
    check(t.loc["cross_sectional_t"], stats.ttest_1samp(s.car, 0).statistic, s.n, s.n - 1)
    check(t.loc["portfolio_z"], s.car.mean() / np.sqrt(sum(v**2 for v in s.se) / s.n**2), s.n)
    q = sum(d / (d - 2) for d in s.df)
    check(t.loc["patell_z"], sum(s.scar) / np.sqrt(q), s.n)
    daily = [sum(s.ar[i, s.columns] / s.ar_se[i, s.columns]) / np.sqrt(s.length) for i in range(s.n)]
    check(t.loc["patell_z_1976"], sum(daily) / np.sqrt(q), s.n)
    check(t.loc["bmp_t"], stats.ttest_1samp(s.scar, 0).statistic, s.n, s.n - 1)


def test_crude_dependence(case):
    s, t = case
    means = [np.nanmean(column) for column in s.residuals.T if np.isfinite(column).any()]
    statistic = s.car.mean() / (np.sqrt(s.length) * np.std(means, ddof=1))
    check(t.loc["crude_dependence_t"], statistic, s.n, len(means) - 1)


def pair_correlation(a, b, shift):
    """Correlation of two rows of residuals; ``shift`` sessions between the columns of a and b."""
    values = []
    for column in range(240):
        other = column - shift
        if 0 <= other < 240 and np.isfinite(a[column]) and np.isfinite(b[other]):
            values.append((a[column], b[other]))
    return (np.corrcoef(np.array(values).T)[0, 1], len(values)) if len(values) >= 30 else (None, len(values))


def loop_correlations(s):
    """The three mean correlations by brute force over pairs."""
    overlap, calendar, event = 0.0, [], []
    for i, j in itertools.combinations(range(s.n), 2):
        shift = s.position[j] - s.position[i]
        rho, _ = pair_correlation(s.residuals[i], s.residuals[j], shift)
        if rho is not None:
            calendar.append(rho)
            overlap += rho * max(0, s.length - abs(shift)) / s.length
        rho, _ = pair_correlation(s.residuals[i], s.residuals[j], 0)
        if rho is not None:
            event.append(rho)
    return overlap / (s.n * (s.n - 1) / 2), np.mean(calendar), np.mean(event)


@pytest.mark.parametrize("window", [(0, 1), (-10, -1)], ids=str)
def test_correlation_adjustments(results, residuals, table, window):
    s, t = Sample(results, residuals, window), table[window]
    overlap, calendar, event = loop_correlations(s)
    bmp = stats.ttest_1samp(s.scar, 0).statistic
    for name, r in (
        ("adjusted_bmp_t", overlap),
        ("adjusted_bmp_t_calendar", calendar),
        ("adjusted_bmp_t_event", event),
    ):
        inside = (1 - r) / (1 + (s.n - 1) * r)
        if inside > 0:
            check(t.loc[name], bmp * np.sqrt(inside), s.n, s.n - 1)
        else:
            assert np.isnan(t.loc[name, "statistic"])
            assert "not positive" in t.loc[name, "note"]
    patell = sum(s.scar) / np.sqrt(sum(d / (d - 2) for d in s.df))
    check(t.loc["adjusted_patell_z"], patell / np.sqrt(1 + (s.n - 1) * overlap), s.n)


def test_overlap_is_kolari_pynnonen_on_one_date_and_nothing_without_overlap():
    rng = np.random.default_rng(0)
    block = rng.normal(size=(6, 1, 240)) * 0 + rng.normal(size=(6, 240)).reshape(6, 240)[:, None, :]
    rows = block[:, 0, :] + rng.normal(size=240)
    together = correlation.overlap(lambda part: rows[part], np.zeros(6, dtype=np.int64), 3)
    mean = np.mean([np.corrcoef(rows[i], rows[j])[0, 1] for i, j in itertools.combinations(range(6), 2)])
    np.testing.assert_allclose(together.value, mean, rtol=1e-12)
    apart = correlation.overlap(lambda part: rows[part], np.arange(6, dtype=np.int64) * 3, 3)
    assert apart.value == 0


def test_pairs_without_enough_common_days_are_counted():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(5, 60))
    rows[4, :45] = np.nan
    day = np.array([0, 0, 1, 100, 1])
    read = lambda part: rows[part]  # noqa: E731
    calendar = correlation.calendar(read, day, 60)
    overlap = correlation.overlap(read, day, 2)
    pairs = list(itertools.combinations(range(5), 2))
    found = {}
    for i, j in pairs:
        shift = day[j] - day[i]
        common = [
            c for c in range(60) if 0 <= c - shift < 60 and np.isfinite(rows[i, c]) and np.isfinite(rows[j, c - shift])
        ]
        if len(common) >= 30:
            found[i, j] = np.corrcoef(rows[i, common], rows[j, np.array(common) - shift])[0, 1]
    # Only the first three events share 30 days; seven pairs do not.
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    np.testing.assert_allclose(calendar.value, np.mean(list(found.values())), rtol=1e-12)
    assert (calendar.n_pairs, calendar.n_short) == (3, 7)
    expected = sum(rho * max(0, 2 - abs(day[i] - day[j])) / 2 for (i, j), rho in found.items()) / 10
    np.testing.assert_allclose(overlap.value, expected, rtol=1e-12)
    # Of the short pairs three have windows that overlap: those of the last event with the first three.
    assert (overlap.n_pairs, overlap.n_short) == (10, 3)


def test_short_pairs_are_those_whose_windows_of_unequal_length_overlap():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(5, 20))  # too short for any pair
    day, lengths = np.array([0, 2, 2, 4, 5]), np.array([1, 1, 5, 1, 2])
    found = correlation.overlap(lambda part: rows[part], day, lengths)
    windows = [set(range(first, first + length)) for first, length in zip(day, lengths, strict=True)]
    expected = sum(bool(one & other) for one, other in itertools.combinations(windows, 2))
    # The longest window reaches the three that begin later, or with it; the others reach none.
    assert expected == 3
    assert (found.value, found.n_pairs, found.n_short) == (0, 10, expected)


def test_windows_share_their_pairs_whoever_is_in_each_of_them():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(30, 90))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    day = rng.integers(0, 8, 30)
    members = rng.random((3, 30)) < 0.7
    members[2] = False
    members[2, 3] = True
    lengths = [1, 6, 4]
    found = correlation.overlaps(lambda part: rows[part], day, lengths, members)
    assert np.isnan(found[2].value)
    for one, length, mask in zip(found[:2], lengths, members, strict=False):
        total, inside = 0.0, np.flatnonzero(mask)
        for i, j in itertools.combinations(inside, 2):
            shift = day[j] - day[i]
            first = rows[i, max(shift, 0) : 90 + min(shift, 0)]
            second = rows[j, max(-shift, 0) : 90 + min(-shift, 0)]
            both = np.isfinite(first) & np.isfinite(second)
            total += np.corrcoef(first[both], second[both])[0, 1] * max(0, length - abs(shift)) / length
        pairs = len(inside) * (len(inside) - 1) // 2
        assert (one.n_pairs, one.n_short) == (pairs, 0)
        np.testing.assert_allclose(one.value, total / pairs, rtol=1e-12)


def test_skewness_adjusted(case):
    s, t = case
    ratio = s.car.mean() / s.car.std(ddof=1)
    gamma = sum((s.car - s.car.mean()) ** 3) / (s.n * s.car.std(ddof=1) ** 3)
    johnson = np.sqrt(s.n) * (ratio + gamma * ratio**2 / 3 + gamma / (6 * s.n))
    hall = np.sqrt(s.n) * (ratio + gamma * ratio**2 / 3 + gamma**2 * ratio**3 / 27 + gamma / (6 * s.n))
    check(t.loc["johnson_t"], johnson, s.n, s.n - 1)
    check(t.loc["hall_t"], hall, s.n, s.n - 1)
    # Where a reader picks a test, its known fault stands beside it.
    assert t.loc[["johnson_t", "hall_t"], "note"].str.contains("true nulls").all()


def loop_corrado(values, length, columns):
    """Corrado's statistic from rows of EST and EVT values, the loop of METHODS 4.10."""
    n_days = values.shape[1]
    q, used = np.zeros(n_days), np.zeros(n_days)
    for row in values:
        present = np.isfinite(row)
        u = stats.rankdata(row[present]) / (present.sum() + 1) - 0.5
        q[present] += u
        used[present] += 1
    q = np.array([total / np.sqrt(n) if n else np.nan for total, n in zip(q, used, strict=True)])
    spread = np.sqrt(np.nanmean(q**2))
    return q[240:][columns].sum() / (np.sqrt(length) * spread)


def test_rank_tests(case):
    s, t = case
    both = np.concatenate([s.residuals, s.ar], axis=1)
    check(t.loc["corrado_rank_z"], loop_corrado(both, s.length, s.columns), s.n)
    event = s.ar / s.ar_se
    spread = np.array([np.std(column[np.isfinite(column)], ddof=1) for column in event.T])
    standard = np.concatenate([s.residuals / s.sigma[:, None], event / spread], axis=1)
    check(t.loc["corrado_zivney_z"], loop_corrado(standard, s.length, s.columns), s.n)


def test_generalised_rank(case):
    s, t = case
    star = s.scar / np.std(s.scar, ddof=1)
    total, count, variance = np.zeros(241), np.zeros(241), 0.0
    for i in range(s.n):
        row = np.append(s.residuals[i] / s.sigma[i], star[i])
        present = np.isfinite(row)
        days = present.sum()
        total[present] += stats.rankdata(row[present]) / (days + 1) - 0.5
        count[present] += 1
        variance += (days - 1) / (12 * (days + 1))
    means = total[count > 0] / count[count > 0]
    T = len(means)
    spread = np.sqrt((count[count > 0] / s.n * means**2).sum() / T)
    z = means[-1] / spread
    check(t.loc["grank_t"], z * np.sqrt((T - 2) / (T - 1 - z**2)), s.n, T - 2)
    check(t.loc["grank_z"], means[-1] / np.sqrt(variance / s.n**2), s.n)


def test_sign_tests(case):
    s, t = case
    positive = int((s.car > 0).sum())
    check(t.loc["sign_z"], (positive - s.n / 2) / np.sqrt(s.n / 4), s.n)
    assert f"{stats.binomtest(positive, s.n).pvalue:.4g}" in t.loc["sign_z", "note"]
    p = np.mean([np.mean(row[np.isfinite(row)] > 0) for row in s.residuals])
    check(t.loc["generalized_sign_z"], (positive - s.n * p) / np.sqrt(s.n * p * (1 - p)), s.n)


def test_wilcoxon_agrees_with_scipy(case):
    s, t = case
    theirs = stats.wilcoxon(s.car, method="asymptotic", correction=False)
    assert abs(t.loc["wilcoxon", "statistic"]) == pytest.approx(abs(stats.norm.isf(theirs.pvalue / 2)), rel=1e-9)
    assert t.loc["wilcoxon", "p_value"] == pytest.approx(theirs.pvalue, rel=1e-9)


def test_clustered_means(case):
    s, t = case
    for name, values in (("date_clustered_t", s.car), ("date_clustered_scar_t", s.scar)):
        d = values - values.mean()
        clusters = [d[s.days == day].sum() for day in np.unique(s.days)]
        g = len(clusters)
        se = np.sqrt(g / (g - 1) * sum(c**2 for c in clusters)) / s.n
        check(t.loc[name], values.mean() / se, s.n, g - 1)
    theta = np.array([s.car[s.days != day].mean() for day in np.unique(s.days)])
    g = len(theta)
    se = np.sqrt((g - 1) / g * ((theta - theta.mean()) ** 2).sum())
    check(t.loc["cluster_jackknife_t"], s.car.mean() / se, s.n, g - 1)


def loop_wild(values, labels, patterns):
    """Share of sign patterns whose clustered t is at least as extreme, a loop."""
    names = np.unique(labels)
    g, n = len(names), len(values)

    def t(y):
        d = y - y.mean()
        se = np.sqrt(g / (g - 1) * sum(d[labels == name].sum() ** 2 for name in names)) / n
        return y.mean() / se if se > 0 else np.inf

    observed = t(values)
    flipped = [t(values * np.array([dict(zip(names, p, strict=True))[label] for label in labels])) for p in patterns]
    return observed, np.mean([abs(value) >= abs(observed) * (1 - 1e-12) for value in flipped])


def test_wild_bootstrap_enumerates_few_clusters():
    rng = np.random.default_rng(4)
    values, labels = rng.normal(0.4, 1, 15), np.repeat([3, 1, 2, 9, 7], 3)
    t, share = loop_wild(values, labels, itertools.product([1, -1], repeat=5))
    clusters = resampling.Clusters.of(values, labels)
    ours, p_value, how = resampling.wild_p_value(clusters, seed=0, draws=10)
    np.testing.assert_allclose([ours, p_value], [t, share], rtol=1e-12)
    assert "granularity 0.062" in how


def test_wild_bootstrap_is_seeded_and_blind_to_the_order_of_the_input(results, panel):
    first = results.test([(0, 1)], tests="wild_bootstrap", seed=1, draws=999)
    order = np.random.default_rng(0).permutation(len(panel.announcements))
    shuffled = es.Announcements.from_frame(
        panel.announcements.frame.iloc[order][["ticker", "announced_at"]].reset_index(drop=True)
    )
    again = es.EventStudy(shuffled, panel.returns, market=panel.market, min_observations=60).fit()
    second = again.test([(0, 1)], tests="wild_bootstrap", seed=1, draws=999)
    assert first["p_value"].iloc[0] == second["p_value"].iloc[0]
    other = results.test([(0, 1)], tests="wild_bootstrap", seed=2, draws=999)
    assert first["p_value"].iloc[0] != other["p_value"].iloc[0]


def test_skewness_bootstrap_is_the_distribution_of_the_centred_statistic():
    values = np.random.default_rng(1).chisquare(3, 200) - 3
    drawn = resampling.skewness_draws(values, skewness_adjusted, seed=0, draws=4000)
    np.testing.assert_array_equal(drawn, resampling.skewness_draws(values[::-1], skewness_adjusted, seed=0, draws=4000))
    # The same resamples by a loop.
    generator, ordered = np.random.default_rng(0), np.sort(values)
    first = ordered[generator.integers(0, 200, size=(2048, 50))[0]]
    s, ratio = first.std(ddof=1), (first.mean() - values.mean()) / first.std(ddof=1)
    gamma = ((first - first.mean()) ** 3).sum() / (50 * s**3)
    hall = np.sqrt(50) * (ratio + gamma * ratio**2 / 3 + gamma**2 * ratio**3 / 27 + gamma / 300)
    np.testing.assert_allclose(drawn[0], hall, rtol=1e-12)


# -- published figures -----------------------------------------------------------------------


def test_gamma_definitions_by_hand():
    values = np.array([0.01, 0.02, 0.04, -0.01, 0.1])
    s = values.std(ddof=1)
    gamma = ((values - values.mean()) ** 3).sum() / (5 * s**3)
    ratio = values.mean() / s
    expected = np.sqrt(5) * (ratio + gamma * ratio**2 / 3 + gamma / 30)
    np.testing.assert_allclose(skewness_adjusted(values, kind="johnson"), expected, rtol=1e-12)


# -- groups -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grouped(panel):
    frame = panel.announcements.frame[["ticker", "announced_at"]].copy()
    frame["half"] = np.where(np.arange(len(frame)) % 3 == 0, "a", "b")
    frame["many"] = np.arange(len(frame))
    frame.loc[5, "half"] = None
    return es.EventStudy(
        es.Announcements.from_frame(frame), panel.returns, market=panel.market, min_observations=60
    ).fit()


def test_groups_equal_studies_of_their_events(grouped):
    table = grouped.test([(0, 1)], tests=["cross_sectional_t", "grank_t", "adjusted_bmp_t"], by="half")
    assert table["group"].unique().tolist() == ["a", "b", "a - b"]
    car, half = grouped.car(0, 1)["car"], grouped.events["half"]
    for label in "ab":
        own = car[(half == label).to_numpy()].dropna()
        row = table[(table["group"] == label) & (table["test"] == "cross_sectional_t")].iloc[0]
        np.testing.assert_allclose(row["statistic"], stats.ttest_1samp(own, 0).statistic, rtol=1e-9)
    a, b = (car[(half == label).to_numpy()].dropna() for label in "ab")
    welch = table[table["test"] == "difference_welch_t"].iloc[0]
    np.testing.assert_allclose(welch["statistic"], stats.ttest_ind(a, b, equal_var=False).statistic, rtol=1e-9)
    assert table["group"].notna().all()


def test_clustered_difference_is_the_regression_on_a_dummy(grouped):
    import statsmodels.api as sm

    table = grouped.test([(0, 1)], tests="bmp_t", by="half").set_index("test")
    car = grouped.car(0, 1)["car"].reset_index()
    car["half"] = grouped.events["half"].to_numpy()
    car = car.dropna(subset=["car", "half"])
    X = sm.add_constant((car["half"] == "a").astype(float).to_numpy())
    codes = pd.factorize(car["day_zero"])[0]
    fit = sm.OLS(car["car"].to_numpy(), X).fit(cov_type="cluster", cov_kwds={"groups": codes})
    n, g = len(car), len(np.unique(codes))
    # statsmodels' factor has (n-1)/(n-K) as well, which this test leaves out.
    t = fit.tvalues[1] * np.sqrt((n - 1) / (n - 2))
    np.testing.assert_allclose(table.loc["difference_date_clustered_t", "statistic"], t, rtol=1e-9)
    assert table.loc["difference_date_clustered_t", "df"] == g - 1


def test_bad_groups(grouped):
    with pytest.raises(es.ParameterError, match="half"):
        grouped.test([(0, 1)], by="halb")
    with pytest.raises(es.ParameterError, match="make no groups"):
        grouped.test([(0, 1)], by="many")
    with pytest.raises(es.ParameterError, match="no event has a value"):
        grouped.test([(0, 1)], by="call_at")


# -- undefined, with a reason --------------------------------------------------------------------


def test_a_single_event_gives_nan_rows_with_a_note(panel):
    one = panel.announcements.select([panel.announcements.frame["event_id"].iloc[8]])
    results = es.EventStudy(
        one, panel.returns, market=panel.market, known_announcements=panel.announcements, min_observations=60
    ).fit()
    table = results.test([(0, 1)], tests="all")
    assert table[["statistic", "df", "p_value"]].isna().all(axis=None)
    assert table["note"].str.contains("at least [23]").all()
    assert (table["n_events"] == 1).all()
    summary = results.summary([(0, 1)])
    assert len(summary.verdicts) == 1
    own = results.car(0, 1).iloc[0]
    assert f"its own t {own['t']:.2f}" in summary.verdicts[0]
    assert "none could be computed" in repr(summary)
    np.testing.assert_allclose(summary.means[["mean_car", "se"]].iloc[0].astype(float), own[["car", "se"]])
    half = stats.t.ppf(0.975, own["df"]) * own["se"]
    np.testing.assert_allclose(summary.means["high"].iloc[0], own["car"] + half)


def test_a_summary_says_when_there_are_too_few_events_or_dates(panel, results):
    assert not any("too few" in text for text in results.summary().verdicts)
    frame = panel.announcements.frame
    some = es.EventStudy(
        panel.announcements.select((frame["ticker"] == "F05").to_numpy() & (np.arange(len(frame)) % 2 == 0)),
        panel.returns,
        market=panel.market,
        known_announcements=panel.announcements,
        min_observations=60,
    ).fit()
    summary = some.summary([(0, 1)])
    n = len(some.car(0, 1)["car"].dropna())
    assert 4 < n < 10
    assert summary.verdicts[0].endswith(f"; {n} events are too few to rest a conclusion on")
    assert summary.means["n_dates"].tolist() == [n]


def test_all_events_on_one_date(panel):
    day = panel.returns.index[700].strftime("%Y-%m-%d")
    frame = pd.DataFrame({"ticker": [f"F{i:02d}" for i in range(3, 12)], "announced_at": day, "session": "bmo"})
    results = es.EventStudy(frame, panel.returns, market=panel.market, known_announcements=panel.announcements).fit()
    table = results.test([(0, 1)], tests="all").set_index("test")
    for name in ("date_clustered_t", "wild_bootstrap", "cluster_jackknife_t"):
        assert np.isnan(table.loc[name, "statistic"])
        assert "2 dates" in table.loc[name, "note"]
    assert np.isfinite(table.loc["adjusted_bmp_t", "statistic"])
    assert results.summary([(0, 1)]).verdicts[0].endswith("; 8 events on 1 date are too few to rest a conclusion on")
    r = [
        float(table.loc[f"adjusted_bmp_t{kind}", "definition"].split("r = ")[1].split(",")[0])
        for kind in ("", "_calendar")
    ]
    assert r[0] == r[1]


def test_zero_variance_is_named(panel):
    returns = panel.returns.copy()
    returns["F05"] = 0.0
    study = es.EventStudy(panel.announcements, returns, "mean-adjusted", min_observations=60).fit()
    flat = study.car(0, 1).loc["F05"]
    assert flat["t"].isna().all()
    assert (flat["se"] == 0).all()
    table = study.test([(0, 1)], tests="all").set_index("test")
    assert "without estimation variance" in table.loc["bmp_t", "note"]
    assert np.isfinite(table.loc["bmp_t", "statistic"])
    only = es.EventStudy(panel.announcements.for_ticker("F05"), returns, "mean-adjusted", min_observations=60).fit()
    alone = only.test([(0, 1)], tests="all")
    assert (alone["statistic"].isna() == (alone["note"] != "")).mean() > 0.8
    assert alone.loc[alone["statistic"].isna(), "note"].ne("").all()
    assert not np.isinf(alone["statistic"]).any()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"windows": [(1, 0)]}, "reversed"),
        ({"windows": [(0, 11)]}, "outside the fitted"),
        ({"windows": [(0.5, 1)]}, "not a pair"),
        ({"windows": [(0, 1)], "tests": "bmp"}, "bmp_t"),
        ({"windows": [(0, 1)], "draws": 0}, "draws"),
        ({"windows": [(0, 1)], "seed": -1}, "seed"),
    ],
)
def test_bad_arguments_of_test(results, arguments, said):
    with pytest.raises(es.ParameterError, match=said):
        results.test(**arguments)
