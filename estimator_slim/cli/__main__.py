"""`python -m estimator_slim.cli` is the command `estimator-slim`."""

from estimator_slim.cli import main

if __name__ == "__main__":
    main()
