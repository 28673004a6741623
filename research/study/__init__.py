"""The event study: alignment, expected-return models, estimation, inference, results."""
