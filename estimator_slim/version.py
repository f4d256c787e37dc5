"""The version of estimator_slim; pyproject.toml takes it from here."""

VERSION = "0.1.0"
