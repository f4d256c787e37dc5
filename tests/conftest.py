"""What every test needs: TensorFlow without its start-up notes, also in the processes it starts."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
