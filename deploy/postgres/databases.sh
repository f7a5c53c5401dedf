#!/bin/sh
# One database and one owner each for Airflow, MLflow and recfleet: Postgres runs this once, when its
# volume is empty. MLflow and Airflow would overwrite each other's alembic_version in one database.
set -eu

create() {
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set name="$1" --set password="$2" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
}

create airflow "$POSTGRES_AIRFLOW_PASSWORD"
create mlflow "$POSTGRES_MLFLOW_PASSWORD"
create recfleet "$POSTGRES_RECFLEET_PASSWORD"
