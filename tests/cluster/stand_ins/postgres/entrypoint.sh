#!/bin/sh
# Makes the cluster when its volume is empty: passwords over TCP, none on the socket; then it runs
# the scripts of /docker-entrypoint-initdb.d while nobody can connect over TCP.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local trust \
    --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --silent --wait -o '-c listen_addresses=' start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    "$script"
  done
  pg_ctl --silent --wait --mode fast stop
fi
exec "$@" -c listen_addresses='*'
