"""The night, for every test of this folder."""

from conftest_night import night as night
