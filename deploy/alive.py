"""A container's health check: has its job sent a heartbeat lately? Asks Airflow's database, without starting Airflow.

    python alive.py TriggererJob

`airflow jobs check` asks the same, but it is a whole start of Airflow: 6 s of a core, each time, in each container.
"""

import os
import socket
import sys

import psycopg2

WITHIN = "60 seconds"  # twice the threshold of the health page: busy is not dead

dsn = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "", 1)
connection = psycopg2.connect(dsn, connect_timeout=5)
with connection.cursor() as cursor:
    cursor.execute(
        "select exists (select from job where job_type = %s and hostname = %s and state = 'running'"
        " and latest_heartbeat > now() - %s::interval)",
        (sys.argv[1], socket.getfqdn(), WITHIN),
    )
    (alive,) = cursor.fetchone() or (False,)
sys.exit(None if alive else f"no heartbeat of {sys.argv[1]} on {socket.getfqdn()} within {WITHIN}")
