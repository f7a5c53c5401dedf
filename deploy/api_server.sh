#!/bin/sh
# Airflow's API server and pages, with the one person of the environment able to log in.
set -eu

# Airflow reads passwords from a file only; it is on a tmpfs, and gone with the container.
umask 077
python - <<'PYTHON'
import json
import os
from pathlib import Path

passwords = {os.environ["RECFLEET_AIRFLOW_USERNAME"]: os.environ["RECFLEET_AIRFLOW_PASSWORD"]}
Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).write_text(
    json.dumps(passwords)
)
PYTHON

exec airflow api-server
