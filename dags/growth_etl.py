"""Growth of each business day for investors, from the base growth model that the experiments' growth starts from."""

from airflow.sdk import DAG, Asset

from oncall.glue.contract import contract
from oncall.glue.dags import dag_arguments, daily
from oncall.glue.reports import report_steps

terms = contract("growth_etl")

with DAG(schedule=daily(terms), **dag_arguments(terms)):
    report_steps(Asset("investor.daily_growth"), base=Asset("base.growth"))
