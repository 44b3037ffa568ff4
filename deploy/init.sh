#!/usr/bin/env bash
# Once per deployment, before anything else of Airflow starts; safe to run again.
set -euo pipefail

airflow db migrate

# The first login. Later changes of the password are made in Airflow, and stay.
airflow users create --role Admin --username admin --password "$AIRFLOW_ADMIN_PASSWORD" \
    --firstname Data --lastname Engineering --email admin@example.com

# The report tables. A warehouse whose owner runs DDL by other means gets the file by those means: INIT_WAREHOUSE=no.
if [[ ${INIT_WAREHOUSE:-yes} == yes ]]; then
    python - <<'PY'
from contextlib import closing

from pipelines import runner
from oncall.adapters.postgres.database import work_by

with closing(work_by("warehouse")) as connection:
    runner.install(connection)
print("the warehouse has its tables")
PY
fi
