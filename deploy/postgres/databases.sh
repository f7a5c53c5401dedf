#!/bin/sh
# Airflow, MLflow and recfleet each get a database, and Airflow and MLflow an owner of it. The roles of
# recfleet's database are made by `recfleet migrate`. Postgres runs this once, when its volume is empty. In one database, MLflow and Airflow would overwrite each other's alembic_version.
set -eu

create() {
  # The password goes in by the environment: command lines can be read by others.
  PASSWORD="$2" psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
    --dbname postgres --set name="$1" <<'SQL'
\getenv password PASSWORD
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
}

create airflow "$POSTGRES_AIRFLOW_PASSWORD"
create mlflow "$POSTGRES_MLFLOW_PASSWORD"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create database recfleet;
revoke all on database recfleet, postgres, template1 from public;
SQL
