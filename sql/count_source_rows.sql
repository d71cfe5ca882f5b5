-- One row per organization and period: how many rows its trend must be made from,
-- counted separately from the aggregate, to verify it; and how many of them hold what
-- cannot be meant: a confidence beyond 0 to 100, one between 0 and 1, or a sentiment
-- that is a text with JSON in it, written twice or more often. Confidences are
-- fractions where none is above 1 and some have decimals.
select
    organizations.id::text as organization_id,
    periods.period_start,
    counted.messages,
    counted.messages_with_tone,
    counted.messages_with_confidence,
    counted.confidences_out_of_range,
    counted.confidences_between_0_and_1,
    counted.has_fractions,
    counted.sentiments_in_text,
    (
        select count(*)
        from escalation_alerts as alerts
        where
            alerts.organization_id = organizations.id
            and alerts.created_at >= periods.period_start
            and alerts.created_at < periods.period_end
            and alerts.severity is not null
    ) as alerts
from organizations
cross join
    unnest(%(period_starts)s::timestamp[], %(period_ends)s::timestamp[])
        as periods (period_start, period_end)
inner join lateral (  -- noqa: ST05
    select
        count(*) as messages,
        count(nullif(tone, '')) as messages_with_tone,
        count(confidence) as messages_with_confidence,
        count(*) filter (where confidence not between 0 and 100)
            as confidences_out_of_range,
        count(*) filter (where confidence > 0 and confidence < 1)
            as confidences_between_0_and_1,
        coalesce(
            bool_and(confidence between 0 and 1) and bool_or(mod(confidence, 1) <> 0),
            false
        ) as has_fractions,
        count(*) filter (
            where
            tone is null and sentiment::text ~ '^"(\\["\\nrt]|[[:space:]])*[[{]'
        ) as sentiments_in_text
    from (
        select
            messages.confidence,
            messages.sentiment,
            case
                -- as json, that text cannot hold: a NUL, half a surrogate
                when
                    pg_typeof(messages.sentiment) <> 'jsonb'::regtype
                    and regexp_replace(
                        replace(messages.sentiment::text, '\\', ''),
                        '\\u[dD][89abAB]..\\u[dD][c-fC-F]..',
                        '',
                        'g'
                    ) ~ '\\u(0000|[dD][89a-fA-F])'
                    then null
                else messages.sentiment ->> 'tone'
            end as tone
        from topic_classifications as messages
        where
            messages.organization_id = organizations.id
            and messages.created_at >= periods.period_start
            and messages.created_at < periods.period_end
    ) as messages
) as counted on true
where organizations.id = any(%(organization_ids)s::uuid[]);
