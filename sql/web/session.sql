-- For this transaction only: room to group tens of thousands of organizations.
select set_config('work_mem', '32MB', true) as work_mem;
