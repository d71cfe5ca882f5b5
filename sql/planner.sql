-- For this transaction only: count in hash tables, whatever number of rows the planner
-- expects. It expects the same of each organization, and where few are average it would
-- sort the rows of a large one, which takes twice as long as hashing them.
select set_config('enable_sort', 'off', true) as enable_sort;
