"""Engagement of each business day for investors, from the base engagement model."""

from airflow.sdk import DAG, Asset

from oncall.airflow.dag_factory import dag_arguments, daily
from oncall.airflow.dag_settings import contract
from pipelines.tasks import report_steps

terms = contract("engagement_etl")

with DAG(schedule=daily(terms), **dag_arguments(terms)):
    report_steps(Asset("investor.daily_engagement"), base=Asset("base.engagement"))
