"""The on-call system: who is on call, which promises are broken, and how people get to know."""

__version__ = "0.2.0"
