#!/bin/sh
# Airflow's API server and pages, with a login for the person named in the environment.
set -eu

# Airflow reads passwords from a file only. The file is on a tmpfs, so it goes with the container.
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
