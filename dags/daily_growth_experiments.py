"""Growth accounting of each experiment's variants.

It runs once for each report date of base.growth, whoever published that: the night, a backfill, a hand.
"""

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable

from oncall.airflow.dag_factory import dag_arguments
from oncall.airflow.dag_settings import terms_of
from pipelines.tasks import report_steps

terms = terms_of("daily_growth_experiments")

with DAG(schedule=PartitionedAssetTimetable(assets=Asset("base.growth")), **dag_arguments(terms)):
    report_steps(Asset("experiments.daily_growth"))
