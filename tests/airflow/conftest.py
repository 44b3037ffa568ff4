"""What every test of Airflow's side may ask for."""

from tests.airflow.conftest_site import site as site
