-- The planner takes a date it has never counted for empty, and then joins thousands of rows to thousands, row by row.
analyze (skip_locked) base.experiment_growth;
