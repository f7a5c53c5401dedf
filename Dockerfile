# The one image of docker-compose.yaml: recfleet, Airflow and MLflow at the versions of the lock.
FROM python:3.12-slim-trixie AS build

WORKDIR /build
COPY requirements.lock pyproject.toml ./
# Compiled here once: the image is read-only where it runs, so that no process could keep what it compiles.
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/venv

# uv itself is in the lock; the lock constrains everything else that the project asks for.
# Only wheels: nothing here may need a compiler.
RUN pip install --no-cache-dir --disable-pip-version-check "$(grep '^uv==' requirements.lock)" \
 && uv venv /opt/venv \
 && uv pip install --no-cache --only-binary :all: \
      --constraint requirements.lock --requirement pyproject.toml --extra celery

COPY README.md LICENSE ./
COPY src ./src
RUN uv pip install --no-cache --no-deps .


FROM python:3.12-slim-trixie

# implicit is linked against the system's OpenMP.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --create-home recfleet \
 && mkdir -p /opt/airflow/logs \
 && chown -R recfleet:recfleet /opt/airflow

COPY --from=build /opt/venv /opt/venv
COPY dags /opt/recfleet/dags
COPY plugins /opt/recfleet/plugins
COPY expectations /opt/recfleet/expectations
COPY policy.toml /opt/recfleet/policy.toml
COPY deploy /opt/recfleet/deploy

# What is true of the image wherever it runs; where services are comes from outside.
# One thread each: a forked worker hangs on the threads of its parent, and shards run side by side.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    GX_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    GIT_PYTHON_REFRESH=quiet \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/recfleet/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/recfleet/plugins \
    RECFLEET_SUITES=/opt/recfleet/expectations \
    RECFLEET_POLICY=/opt/recfleet/policy.toml

# A container's own disk beside a read-only root: Airflow's configuration file and logs of tasks.
VOLUME /opt/airflow

USER recfleet
WORKDIR /opt/recfleet
CMD ["recfleet", "--help"]
