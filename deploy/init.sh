#!/bin/sh
# Prepares the databases and the bucket before the first service starts; safe at every start.
set -eu

airflow db migrate
recfleet migrate
mlflow db upgrade "$RECFLEET_MLFLOW_STORE_URL"
python /opt/recfleet/deploy/make_bucket.py
