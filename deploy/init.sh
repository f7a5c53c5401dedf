#!/bin/sh
# Prepares the databases and the bucket before the first service starts; safe at every start.
set -eu

airflow db migrate
recfleet migrate
python /opt/recfleet/deploy/upgrade_mlflow.py
python /opt/recfleet/deploy/make_bucket.py
