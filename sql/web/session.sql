-- For this transaction only: compiling these statements would take longer than
-- running them.
select set_config('jit', 'off', true) as jit;
