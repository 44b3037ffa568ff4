"""What every test of Airflow's side may ask for."""

from tests.airflow.conftest_site import site as site
from tests.web.conftest_page import airflow_auth as airflow_auth
