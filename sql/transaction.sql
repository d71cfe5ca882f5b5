-- One snapshot for all that a task instance reads: rows that arrive between two
-- statements cannot make the aggregate and the count that verifies it disagree.
set local transaction_isolation = 'repeatable read';
