"""What every test of Airflow's side may ask for."""

from conftest_site import site as site
