"""Speed and simulation benchmarks; run by hand, never by the tests."""
