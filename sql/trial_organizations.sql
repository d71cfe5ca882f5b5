-- Organizations to try storing a trend of. At random, so that those whose rows the
-- application refuses are not always the ones.
select organizations.id::text as id
from organizations
order by random()
limit %(limit)s;
