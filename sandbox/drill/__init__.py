"""Drills: one promise broken on purpose on the running stack, marked DRILL, and everything taken back afterwards."""
