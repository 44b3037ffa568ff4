"""Measures what the README claims, each figure beside a named baseline of the same run; asserts nothing."""
