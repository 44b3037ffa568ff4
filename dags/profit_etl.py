"""Profit of each business day for investors, from the base profit model that unit-level profit starts from."""

from airflow.sdk import DAG, Asset

from oncall.airflow.dag_factory import dag_arguments, daily
from oncall.airflow.dag_settings import terms_of
from pipelines.tasks import report_steps

terms = terms_of("profit_etl")

with DAG(schedule=daily(terms), **dag_arguments(terms)):
    report_steps(Asset("investor.daily_profit"), base=Asset("base.profit"))
