"""What every test may ask for."""

from __future__ import annotations

import os

# Before numpy is imported anywhere: one thread each, or fits on few cores fight and forks hang.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
