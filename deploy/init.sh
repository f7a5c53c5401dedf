#!/bin/sh
# Everything that must be there before the first service starts; safe to run at every start.
set -eu

airflow db migrate
recfleet migrate
mlflow db upgrade "$RECFLEET_MLFLOW_STORE_URL"
python /opt/recfleet/deploy/make_bucket.py
