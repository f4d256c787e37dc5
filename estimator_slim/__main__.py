"""`python -m estimator_slim` is the command `estimator-slim`."""

import sys

from estimator_slim.cli import main

if __name__ == "__main__":
    sys.exit(main())
