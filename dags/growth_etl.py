"""Growth of each business day for investors, from the base growth model that the experiments' growth starts from."""

from airflow.sdk import DAG, Asset

from oncall.airflow.dag_factory import dag_arguments, daily
from oncall.airflow.dag_settings import terms_of
from pipelines.tasks import report_steps

terms = terms_of("growth_etl")

with DAG(schedule=daily(terms), **dag_arguments(terms)):
    report_steps(Asset("investor.daily_growth"), base=Asset("base.growth"))
