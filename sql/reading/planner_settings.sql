-- For this transaction only: room to group tens of thousands of organizations; and what
-- an operator costs, since most of them take JSON apart here: else the planner leaves
-- to one process what several could do.
select
    set_config('work_mem', '32MB', true) as work_mem,
    set_config('cpu_operator_cost', '0.05', true) as cpu_operator_cost;
