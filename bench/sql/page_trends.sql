-- Trends of all organizations on the days up to the last one: each organization at a
-- level of its own, less on weekends, and from day to day as chance has it. So few of
-- them look suspect to sql/reading/attention.sql.
insert into communication_trends (
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
with
-- one row per organization
levels as (
    select
        organizations.id,
        exp(2 * random()) as usual_level
    from organizations
),

-- one row per organization and day
daily as (
    select
        levels.id,
        days.day,
        case when extract(isodow from days.day) > 5 then 0.4 else 1 end
        * levels.usual_level as level
    from
        generate_series(
            %(last_day)s::date - (%(days)s::integer - 1) * interval '1 day',
            %(last_day)s::date,
            interval '1 day'
        ) as days (day)
    cross join levels
),

-- the same, with the topics
drawn as (
    select
        daily.*,
        jsonb_build_object(
            'complaint',
            pg_temp.drawn(60 * daily.level),
            'escalation',
            pg_temp.drawn(5 * daily.level),
            'general',
            pg_temp.drawn(200 * daily.level),
            'request',
            pg_temp.drawn(50 * daily.level),
            'scheduling',
            pg_temp.drawn(80 * daily.level),
            'status_update',
            pg_temp.drawn(70 * daily.level),
            'technical',
            pg_temp.drawn(210 * daily.level)
        ) as topics
    from daily
)

select
    drawn.id as organization_id,
    drawn.day as trend_date,
    'daily' as trend_period,
    drawn.topics as topic_distribution,
    jsonb_build_object(
        'angry',
        pg_temp.drawn(10 * drawn.level),
        'frustrated',
        pg_temp.drawn(30 * drawn.level),
        'tense',
        pg_temp.drawn(90 * drawn.level),
        'neutral',
        pg_temp.drawn(400 * drawn.level),
        'positive',
        pg_temp.drawn(50 * drawn.level)
    ) as sentiment_distribution,
    case
        when drawn.level < 1.9 then '{}'
        else
            jsonb_build_object(
                'medium',
                pg_temp.drawn(drawn.level / 2),
                'high',
                pg_temp.drawn(drawn.level / 4),
                'critical',
                pg_temp.drawn(drawn.level / 8)
            )
    end as escalation_counts,
    jsonb_build_array(
        jsonb_build_object(
            'channelId',
            'C-support',
            'riskScore',
            40 + (40 * random())::integer,
            'messageCount',
            100 + (100 * random())::integer
        ),
        jsonb_build_object(
            'channelId',
            'C-billing',
            'riskScore',
            35,
            'messageCount',
            60
        )
    ) as channel_hotspots,
    (
        select sum(topics.count::integer)
        from jsonb_each(drawn.topics) as topics (name, count)
    ) as total_classifications,
    80 as avg_confidence
from drawn;
