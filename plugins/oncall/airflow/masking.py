"""Takes out of a text what Airflow masks in its own logs, and what looks like a secret, before anything is written."""

from __future__ import annotations

import sys

from airflow.sdk.log import redact

from oncall.core.redaction import redacted

# Airflow's other masker: that of its own processes, such as the DAG processor, which tell it their secrets.
_OF_THE_CORE = "airflow._shared.secrets_masker"


def masked(text: str) -> str:
    """The whole text, before it is cut: half a secret is not known any more."""
    text = str(redact(text))
    if core := sys.modules.get(_OF_THE_CORE):
        text = str(core.redact(text))
    return redacted(text)
