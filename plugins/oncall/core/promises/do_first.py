"""What to do first, where the cause tells more than the runbook's section for such causes can know. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from oncall.core.promises.promise import Pipeline
from oncall.core.promises.why import Kind, Why

_LOOK_FOR = "look for a free slot in the pool, then for a live scheduler and worker"
_THEN_START = "Then start the day by hand."
# The schedule makes up for the run it has missed, as soon as it can.
_OR_START = "No run of it within a minute: start the day by hand."
# Airflow pauses a DAG too, after as many failed runs as `max_consecutive_failed_dag_runs` says.
_PAUSED_BY = (
    "Its audit log in Airflow mostly tells who paused it (Scheduler: Airflow itself, after failed runs):"
    " do not wait for the answer."
)
# By a cause's kind, a sentence a line.
_KNOWN: dict[Kind, str] = {
    "paused, its DAG gone": "bring the DAG's file back, or revert the last deploy; then unpause the {dags}.\n"
    + _OR_START,
    "paused, import error": "mend the DAG's file, or revert the last deploy; then unpause the {dags}.\n" + _OR_START,
    "paused": "unpause the {dags}. " + _PAUSED_BY + "\n" + _OR_START,
    "DAG gone": "bring the DAG's file back, or revert the last deploy.\n" + _OR_START,
    "import error": "mend the DAG's file, or revert the last deploy.\n" + _OR_START,
    "no scheduler": "look whether the scheduler and the DAG processor run, and restart what does not.\n" + _OR_START,
    "another schedule": "look at {dag_id} in Airflow: its schedule, its next run, its file."
    " Another schedule than its runbook's, or a second file with its id, is why.\n" + _THEN_START,
    "no schedule": "look what starts {dag_id}, an event or another DAG, and whether that came.\n" + _THEN_START,
    "other runs": "look at the open runs of {dag_id}: is one of them this day's?\n"
    "It is: it waits for the others, or for a slot.\nNone is: start the day by hand.",
    "deleted": "start the day again.",
    "green": "start the day again, and tell the owners: the run was green and has published nothing.",
    "marked": "ask the person who did that why.\nNo answer: start the day again.",
    "starting": "look in Airflow whether a task of it runs by now.\n"
    f"None does: {_LOOK_FOR} (*Stuck* has the commands).\n"
    "Start no second run beside it.",
    "retrying": "read the error of the try that failed, in its log. Airflow tries it again by itself.\n"
    "An error that passes, such as a broken connection: wait for that try.\n"
    "An error that stays, such as a missing column or a full disk: do not wait, read *Failed* now.",
    "paused on its way": "unpause the {dags}: the run goes on by itself then. Start no second one beside it.\n"
    + _PAUSED_BY,
    "unheard": "look in Airflow whether a task of it runs.\n"
    f"None does: {_LOOK_FOR}.\n"
    "One does: it hangs before its first line. Clear it, once.",
    "not woken": "look whether a triggerer runs, and restart it: the tables are there, and the wait for them goes on.\n"
    "One runs: clear the wait, once.",
    "blocked": "end what blocks it. Is it a load of the {team}? Ask them to.",
    "unusual": "ask the owners whether that is true.\n"
    "It is: release it with a note, then run the day again.\n"
    "It is not: repair the cause first. Never switch a check off.",
    "upstream's rows": "tell the {team} in {slack} which check failed and what it found.\n"
    "When they have loaded the table again, run the day again.\n"
    "Late is better than wrong: never publish by hand, never switch a check off.",
    "gave up": "{ask}\n"
    "The run has given up waiting: when the table is there, start the day again.\n"
    "Never publish without the table.",
    "no run yet": "{ask}\n"
    "No run waits for it yet: look in Airflow for one of {dag_id}. None in ten minutes: read *Never started*.\n"
    "Never publish without the table.",
}  # fmt: skip

# What the upstream team is asked; they are told by themselves, unless their channel cannot be written to.
_ASK = "look in {slack}: the {team} is told there which table is late. It is not there? Tell them."
_TOLD = "the {team} was told at {told} in {slack}: look there for the answer."
_WAITING = (
    "{ask}\nStart nothing: the run goes on by itself when the data lands.\nNever publish without the table."
)


def do_first(pipeline: Pipeline, why: Why, told: str = "", alike: Sequence[str] = ()) -> str:
    """A sentence a line; "" where the runbook knows as much.

    `told`: when the upstream team was told of the late table ("": not known). `alike`: the DAGs that the same is to be
    done for (none: that of the pipeline).
    """
    owner = pipeline.upstream_owner
    do = _KNOWN.get(why.kind) or (_WAITING if why.cause == "upstream_late" and told else "")
    ask = (_TOLD if told else _ASK).format(team=owner.team, slack=owner.slack, told=told)
    dags = f"DAGs {', '.join(alike)}" if len(alike) > 1 else f"DAG {pipeline.dag_id}"
    return do.format(dag_id=pipeline.dag_id, dags=dags, team=owner.team, slack=owner.slack, ask=ask)
