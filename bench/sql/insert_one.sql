-- One message more of some organization, as the application stores it; outside the
-- days that are measured.
insert into topic_classifications (
    organization_id,
    suggestion_id,
    topic,
    confidence,
    sentiment,
    created_at
)
select
    id as organization_id,
    gen_random_uuid()::text as suggestion_id,
    'general' as topic,
    80 as confidence,
    '{"tone": "neutral"}' as sentiment,
    timestamp '2026-11-05' as created_at
from organizations
where slug = %(slug)s;
