-- Stores aggregated trends with their provenance. One row per organization and period
-- that came in, with what became of it; none where all of it is stored already, values
-- and provenance, unless by the same run before: such a trend is unchanged. Of the
-- first six no trend is written:
--   unknown        the target has no such organization
--   outdated       the stored trend is from a later snapshot than the one that came in
--   unsure         evidence is missing: what is null came in as null
--   not in source  no trend is stored, and the source may have lost the rows of one
--   unchanged      the same trend is stored already
--   kept           shrink guard: the stored trend was made from more than is left
--   filled         no trend was stored
--   corrected      another trend was stored
-- A trend has two halves, made from messages and from alerts. Each has its own guard,
-- so a corrected trend may have kept one of them.
with
trends as (
    select
        incoming.*,
        coalesce(incoming.may_be_filled, %(may_be_filled)s::boolean) as is_fillable
    from
        jsonb_to_recordset(%(trends)s::jsonb)
            as incoming (
                organization_id uuid,
                period_start timestamp,
                topic_distribution text,
                sentiment_distribution text,
                escalation_counts text,
                channel_hotspots text,
                total_classifications bigint,
                avg_confidence bigint,
                messages_with_tone bigint,
                messages_with_confidence bigint,
                alerts bigint,
                -- evidence, where it has been looked for
                is_final boolean,
                may_be_filled boolean,
                channel_messages jsonb
            )
    -- all of them: of JSON the planner expects a hundred rows, and for so many it would
    -- read a whole table of thousands where one is looked up
    limit %(trend_count)s::integer  -- noqa: AM09
),

compared as (
    select
        trends.*,
        finality.is_known_final,
        organizations.id is not null as is_known,
        stored.organization_id is not null as is_stored,
        provenance.organization_id is not null as has_provenance,
        coalesce(
            provenance.dag_id = %(dag_id)s::text
            and provenance.run_id = %(run_id)s::text,
            false
        ) as is_by_this_run,
        -- unless it is known that the clock was ahead then
        coalesce(
            provenance.computed_at > %(computed_at)s::timestamptz
            and provenance.computed_at
            > coalesce(%(newest_known)s::timestamptz, '-infinity'),
            false
        ) as is_outdated,
        same.has_same_messages,
        same.has_same_alerts,
        -- all of it is known already: nothing to decide, nothing to write
        coalesce(
            same.has_same_messages
            and same.has_same_alerts
            and (provenance.is_final or not finality.is_known_final)
            and provenance.computed_at is not null
            and provenance.messages = trends.total_classifications
            and provenance.messages_with_tone = trends.messages_with_tone
            and provenance.messages_with_confidence
            = trends.messages_with_confidence
            and provenance.alerts = trends.alerts
            and provenance.hotspot_rule = %(hotspot_rule)s::jsonb,
            false
        ) as is_settled,
        stored.topic_distribution as stored_topics,
        stored.sentiment_distribution as stored_tones,
        stored.escalation_counts as stored_escalations,
        stored.channel_hotspots as stored_hotspots,
        stored.total_classifications as stored_classifications,
        stored.avg_confidence as stored_confidence,
        provenance.computed_at as earlier_computed_at,
        provenance.changed_at as earlier_changed_at,
        provenance.change as earlier_change,
        provenance.is_final as was_final,
        provenance.messages as earlier_messages,
        provenance.messages_with_tone as earlier_with_tone,
        provenance.messages_with_confidence as earlier_with_confidence,
        provenance.alerts as earlier_alerts,
        provenance.hotspot_rule as earlier_rule,
        provenance.dag_id as earlier_dag_id,
        provenance.run_id as earlier_run_id,
        provenance.package_version as earlier_version
    from trends
    left join organizations
        on trends.organization_id = organizations.id
    left join communication_trends as stored
        on
            trends.organization_id = stored.organization_id
            and trends.period_start = stored.trend_date
            and stored.trend_period = %(trend_period)s::text
    left join communication_trends_provenance as provenance
        on
            trends.organization_id = provenance.organization_id
            and trends.period_start = provenance.trend_date
            and provenance.trend_period = %(trend_period)s::text
    inner join lateral (  -- noqa: ST05
        select
            -- most often none is stored yet, which needs no JSON to be parsed
            stored.organization_id is not null
            and coalesce(
                stored.topic_distribution = trends.topic_distribution::jsonb
                and stored.sentiment_distribution
                = trends.sentiment_distribution::jsonb
                -- in any order, as another writer may have stored them
                and case
                    when stored.channel_hotspots = trends.channel_hotspots::jsonb
                        then true
                    when
                        stored.channel_hotspots @> trends.channel_hotspots::jsonb
                        and trends.channel_hotspots::jsonb @> stored.channel_hotspots
                        then
                            jsonb_array_length(stored.channel_hotspots)
                            = jsonb_array_length(trends.channel_hotspots::jsonb)
                    else false
                end
                and stored.total_classifications = trends.total_classifications
                and not (
                    stored.avg_confidence is distinct from trends.avg_confidence
                ),
                false
            ) as has_same_messages,
            stored.organization_id is not null
            and coalesce(
                stored.escalation_counts = trends.escalation_counts::jsonb, false
            ) as has_same_alerts
        from (values (1)) as one_row (number)
        -- so that it is evaluated once
        offset 0  -- noqa: AM09
    ) as same on true
    inner join lateral (  -- noqa: ST05
        select
            case
                when trends.is_final is not null then trends.is_final
                -- a trend that was not final does not become final just because its
                -- period has ended; nor does one that another writer has stored, or
                -- whose values differ: the source may have lost rows since
                when
                    trends.period_start < %(final_before)s::timestamp
                    and stored.organization_id is not null
                    and not coalesce(
                        provenance.is_final
                        and same.has_same_messages
                        and same.has_same_alerts,
                        false
                    )
                    then null
                else trends.period_start < %(final_before)s::timestamp
            end as is_known_final
    ) as finality on true
),

-- one row per trend, with the source rows that the stored one was made from: as its
-- provenance has it, or else as it shows. Where the source has exactly what provenance
-- has, nothing is lost, whatever another writer has made of the trend since. That one
-- may have stored numbers as text, or all of the JSON as one.
counted as materialized (
    select
        compared.*,
        case
            when compared.total_classifications = compared.earlier_messages
                then compared.earlier_messages
            else
                greatest(
                    compared.earlier_messages,
                    -- not what is no count: a numeric column may hold NaN
                    case
                        when compared.stored_classifications between 0 and 1e18
                            then compared.stored_classifications
                    end
                )
        end as had_messages,
        case
            when
                not compared.is_stored
                or compared.has_same_messages
                or compared.messages_with_tone = compared.earlier_with_tone
                then compared.earlier_with_tone
            else
                greatest(
                    compared.earlier_with_tone,
                    (
                        select sum(entries.numbers[1]::numeric)
                        from
                            regexp_matches(
                                compared.stored_tones #>> '{}', %(numbers)s::text, 'g'
                            ) as entries (numbers)
                    )
                )
        end as had_with_tone,
        case
            when
                compared.has_same_messages
                or compared.messages_with_confidence
                = compared.earlier_with_confidence
                then compared.earlier_with_confidence
            else
                greatest(
                    compared.earlier_with_confidence,
                    (compared.stored_confidence is not null)::integer
                )
        end as had_with_confidence,
        case
            when
                not compared.is_stored
                or compared.has_same_alerts
                or compared.alerts = compared.earlier_alerts
                then compared.earlier_alerts
            else
                greatest(
                    compared.earlier_alerts,
                    (
                        select sum(entries.numbers[1]::numeric)
                        from
                            regexp_matches(
                                compared.stored_escalations #>> '{}',
                                %(numbers)s::text,
                                'g'
                            ) as entries (numbers)
                    )
                )
        end as had_alerts,
        -- stored hotspots whose channel is no hotspot now, or has fewer messages
        case
            when
                not compared.has_same_messages
                and compared.stored_hotspots <> '[]'
                then (
                    select jsonb_object_agg(stored.channel, stored.messages)
                    from (
                        select
                            entries.hotspot ->> 'channelId' as channel,
                            (entries.hotspot ->> 'messageCount')::numeric as messages
                        from
                            jsonb_path_query(
                                compared.stored_hotspots,
                                '$[*] ? (@.channelId.type() == "string")'
                            ) as entries (hotspot)
                        where
                            entries.hotspot ->> 'messageCount'
                            ~ '^[0-9]{1,18}([.][0-9]+)?$'
                    ) as stored
                    where
                        -- more messages than the trend has: not counted by anyone
                        stored.messages
                        <= coalesce(compared.earlier_messages, stored.messages)
                        and not exists (
                            select 1
                            from
                                jsonb_array_elements(compared.channel_hotspots::jsonb)
                                    as found (hotspot)
                            where
                                found.hotspot ->> 'channelId' = stored.channel
                                and (found.hotspot ->> 'messageCount')::numeric
                                >= stored.messages
                        )
                )
        end as suspects
    from compared
    where not compared.is_settled or compared.is_by_this_run
),

-- one row per trend, with which counts of source rows have decreased
shrunk as materialized (
    select
        counted.*,
        coalesce(
            counted.total_classifications < counted.had_messages
            or counted.messages_with_tone < counted.had_with_tone
            or counted.messages_with_confidence < counted.had_with_confidence,
            false
        ) as has_fewer_messages,
        coalesce(counted.alerts < counted.had_alerts, false) as has_fewer_alerts,
        case
            when counted.suspects is not null and counted.channel_messages is not null
                then (
                    select jsonb_agg(stored.channel)
                    from
                        jsonb_each_text(counted.suspects)
                            as stored (channel, messages)
                    where
                        coalesce(
                            (counted.channel_messages ->> stored.channel)::numeric, 0
                        ) < stored.messages::numeric
                )
        end as shrunk_channels
    from counted
),

-- one row per trend: which halves stay, and whether more has to be known first
decided as (
    select
        shrunk.*,
        not %(force)s::boolean
        and shrunk.is_stored
        and (shrunk.has_fewer_messages or shrunk.shrunk_channels is not null)
            as keeps_messages,
        not %(force)s::boolean and shrunk.is_stored and shrunk.has_fewer_alerts
            as keeps_alerts,
        -- overwritten by force, or deleted by hand, and made from less; nor does a
        -- correction since bring back what was lost
        (
            (%(force)s::boolean or not shrunk.is_stored)
            and (
                shrunk.has_fewer_messages
                or shrunk.has_fewer_alerts
                or shrunk.shrunk_channels is not null
            )
        )
        or (
            shrunk.earlier_change = 'reduced'
            -- nor does another attempt of the run that did it, which finds the same
            and (
                not %(force)s::boolean
                or (
                    shrunk.is_by_this_run
                    and shrunk.has_same_messages
                    and shrunk.has_same_alerts
                )
            )
        ) as is_reduced,
        case
            when not shrunk.is_stored
                then shrunk.is_fillable is null or shrunk.is_known_final is null
            when
                shrunk.suspects is not null
                and shrunk.channel_messages is null
                and not shrunk.has_fewer_messages
                and not %(force)s::boolean
                then true
            else
                shrunk.is_known_final is null
                and not (
                    shrunk.has_same_messages
                    and shrunk.has_same_alerts
                    and coalesce(shrunk.was_final, false)
                )
        end as is_unsure
    from shrunk
),

judged_trends as materialized (
    select
        decided.*,
        decided.keeps_messages or decided.keeps_alerts as keeps_any,
        case
            when decided.keeps_messages or decided.keeps_alerts
                then decided.is_known_final and coalesce(decided.was_final, false)
            when decided.is_reduced then false
            when decided.has_same_messages and decided.has_same_alerts
                then
                    coalesce(decided.is_known_final, false)
                    or coalesce(decided.was_final, false)
            else decided.is_known_final
        end as becomes_final,
        case
            when not decided.is_known then 'unknown'
            when decided.is_outdated then 'outdated'
            when decided.is_unsure then 'unsure'
            when not decided.is_stored and not decided.is_fillable
                then 'not in source'
            when not decided.is_stored then 'filled'
            when decided.has_same_messages and decided.has_same_alerts
                then 'unchanged'
            when
                (decided.has_same_messages or decided.keeps_messages)
                and (decided.has_same_alerts or decided.keeps_alerts)
                then 'kept'
            else 'corrected'
        end as status
    from decided
),

-- one row per trend whose provenance is written: of those just stored, and of those
-- that are the same while more is known of them than before
traced_trends as materialized (
    select
        judged_trends.*,
        judged_trends.status = 'unchanged' as is_unchanged
    from judged_trends
    where
        judged_trends.status in ('filled', 'corrected')
        or (
            judged_trends.status = 'unchanged'
            and not judged_trends.keeps_any
            and not judged_trends.is_settled
        )
),

written_trends as (
    insert into communication_trends (
        id,
        organization_id,
        trend_date,
        trend_period,
        topic_distribution,
        sentiment_distribution,
        escalation_counts,
        channel_hotspots,
        total_classifications,
        avg_confidence
    )
    select
        gen_random_uuid() as id,
        organization_id,
        period_start as trend_date,
        %(trend_period)s::text as trend_period,
        case when keeps_messages then stored_topics else topic_distribution::jsonb end
            as topic_distribution,
        case
            when keeps_messages then stored_tones else sentiment_distribution::jsonb
        end as sentiment_distribution,
        case
            when keeps_alerts then stored_escalations else escalation_counts::jsonb
        end as escalation_counts,
        case when keeps_messages then stored_hotspots else channel_hotspots::jsonb end
            as channel_hotspots,
        case
            when keeps_messages then stored_classifications else total_classifications
        end as total_classifications,
        case when keeps_messages then stored_confidence else avg_confidence end
            as avg_confidence
    from judged_trends
    where status in ('filled', 'corrected')
    -- always in the same order: two runs at once wait, they do not deadlock
    order by
        organization_id,
        period_start
    on conflict (organization_id, trend_date, trend_period) do update
        set
            topic_distribution = excluded.topic_distribution,
            sentiment_distribution = excluded.sentiment_distribution,
            escalation_counts = excluded.escalation_counts,
            channel_hotspots = excluded.channel_hotspots,
            total_classifications = excluded.total_classifications,
            avg_confidence = excluded.avg_confidence
),

written_provenance as (
    insert into communication_trends_provenance (
        organization_id,
        trend_date,
        trend_period,
        computed_at,
        changed_at,
        change,
        is_final,
        messages,
        messages_with_tone,
        messages_with_confidence,
        alerts,
        hotspot_rule,
        dag_id,
        run_id,
        package_version
    )
    select
        organization_id,
        period_start as trend_date,
        %(trend_period)s::text as trend_period,
        -- where one half stays: the older snapshot, and final if both are
        case
            when keeps_any then earlier_computed_at
            else %(computed_at)s::timestamptz
        end as computed_at,
        case when is_unchanged then earlier_changed_at else now() end as changed_at,
        case
            when is_unchanged and earlier_change = 'reduced' and not is_reduced
                then 'corrected'
            when is_unchanged then earlier_change
            when is_reduced and is_stored then 'reduced'
            else status
        end as change,
        becomes_final as is_final,
        case when keeps_messages then earlier_messages else total_classifications end
            as messages,
        case when keeps_messages then earlier_with_tone else messages_with_tone end
            as messages_with_tone,
        case
            when keeps_messages then earlier_with_confidence
            else messages_with_confidence
        end as messages_with_confidence,
        case when keeps_alerts then earlier_alerts else alerts end as alerts,
        case when keeps_messages then earlier_rule else %(hotspot_rule)s::jsonb end
            as hotspot_rule,
        case
            when is_unchanged and has_provenance then earlier_dag_id
            else %(dag_id)s::text
        end as dag_id,
        case
            when is_unchanged and has_provenance then earlier_run_id
            else %(run_id)s::text
        end as run_id,
        case
            when is_unchanged and has_provenance then earlier_version
            else %(package_version)s::text
        end as package_version
    from traced_trends
    order by
        organization_id,
        period_start
    on conflict (organization_id, trend_date, trend_period) do update
        set
            computed_at = excluded.computed_at,
            changed_at = excluded.changed_at,
            change = excluded.change,
            is_final = excluded.is_final,
            messages = excluded.messages,
            messages_with_tone = excluded.messages_with_tone,
            messages_with_confidence = excluded.messages_with_confidence,
            alerts = excluded.alerts,
            hotspot_rule = excluded.hotspot_rule,
            dag_id = excluded.dag_id,
            run_id = excluded.run_id,
            package_version = excluded.package_version
)

select
    judged_trends.organization_id::text as organization_id,
    judged_trends.period_start,
    judged_trends.status,
    judged_trends.stored_classifications,
    traced_trends.organization_id is not null as is_traced,
    judged_trends.is_by_this_run and judged_trends.status = 'unchanged'
        as is_stored_before,
    judged_trends.becomes_final,
    case
        when judged_trends.status = 'outdated'
            then json_build_object('computed_at', judged_trends.earlier_computed_at)
        -- hotspot channels whose messages have to be counted
        when judged_trends.status = 'unsure'
            then
                json_build_object(
                    'suspects', judged_trends.suspects,
                    -- when the same was stored, as not final
                    'partial_since',
                    case
                        when
                            not judged_trends.was_final
                            and judged_trends.has_same_messages
                            and judged_trends.has_same_alerts
                            -- unless a user says by force that it is whole again
                            and (
                                judged_trends.is_reduced
                                or not %(force)s::boolean
                                or judged_trends.earlier_change
                                is distinct from 'reduced'
                            )
                            then judged_trends.earlier_computed_at
                    end
                )
        -- what stays and why, and what is stored of it, for the verification
        when judged_trends.keeps_any
            then
                json_build_object(
                    'guards_messages',
                    judged_trends.keeps_messages
                    and not judged_trends.has_same_messages,
                    'guards_alerts',
                    judged_trends.keeps_alerts
                    and not judged_trends.has_same_alerts,
                    'made_from',
                    json_build_object(
                        'messages', judged_trends.had_messages,
                        'messages with a tone', judged_trends.had_with_tone,
                        'messages with a confidence',
                        judged_trends.had_with_confidence,
                        'alerts', judged_trends.had_alerts
                    ),
                    'channels', judged_trends.shrunk_channels,
                    'stored_messages',
                    case
                        when judged_trends.keeps_messages
                            then
                                json_build_object(
                                    'topic_distribution',
                                    judged_trends.stored_topics::text,
                                    'sentiment_distribution',
                                    judged_trends.stored_tones::text,
                                    'channel_hotspots',
                                    judged_trends.stored_hotspots::text,
                                    -- as text: JSON's numbers become floating point
                                    'total_classifications',
                                    judged_trends.stored_classifications::text,
                                    'avg_confidence',
                                    judged_trends.stored_confidence::text,
                                    'messages', judged_trends.earlier_messages,
                                    'messages_with_tone',
                                    judged_trends.earlier_with_tone,
                                    'messages_with_confidence',
                                    judged_trends.earlier_with_confidence
                                )
                    end,
                    'stored_alerts',
                    case
                        when judged_trends.keeps_alerts
                            then
                                json_build_object(
                                    'escalation_counts',
                                    judged_trends.stored_escalations::text,
                                    'alerts', judged_trends.earlier_alerts
                                )
                    end
                )
    end as details
from judged_trends
left join traced_trends
    on
        judged_trends.organization_id = traced_trends.organization_id
        and judged_trends.period_start = traced_trends.period_start;
