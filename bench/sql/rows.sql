-- Messages of some organizations on the days up to the last one, in the order of
-- time, as an application writes them.
insert into topic_classifications (
    organization_id,
    workspace_id,
    user_id,
    channel_id,
    suggestion_id,
    topic,
    confidence,
    reasoning,
    sentiment,
    created_at
)
select
    organizations.id as organization_id,
    gen_random_uuid() as workspace_id,
    'user-' || floor(random() * 50) as user_id,
    'C' || floor(random() * random() * 40) as channel_id,
    gen_random_uuid()::text as suggestion_id,
    (
        array[
            'scheduling',
            'complaint',
            'technical',
            'status_update',
            'request',
            'escalation',
            'general'
        ]
    )[1 + floor(random() * 7)::integer] as topic,
    floor(random() * 101) as confidence,
    'It is about ' || md5(random()::text) || md5(random()::text) as reasoning,
    jsonb_build_object(
        'tone',
        (
            array['angry', 'frustrated', 'tense', 'neutral', 'positive']
        )[1 + floor(random() * 5)::integer],
        'score',
        round(random()::numeric, 2)
    ) as sentiment,
    %(last_day)s::timestamp + interval '1 day'
    - days.age * interval '1 day'
    + (messages.number - random()) / sizes.per_day * interval '1 day' as created_at
from unnest(%(slugs)s::text[], %(per_days)s::integer[]) as sizes (slug, per_day)
inner join organizations
    on sizes.slug = organizations.slug
cross join generate_series(1, sizes.per_day) as messages (number)
cross join generate_series(%(days)s, 1, -1) as days (age)
order by created_at;
