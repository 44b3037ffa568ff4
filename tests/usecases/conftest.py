"""The night, for every test of this folder."""

from tests.usecases.conftest_night import night as night
from tests.usecases.conftest_night import night_in_memory as night_in_memory
