-- Messages of month_of_rows once more, so many days earlier, from a day on.
insert into topic_classifications (
    organization_id, channel_id, topic, confidence, sentiment, created_at
)
select
    organization_id,
    channel_id,
    topic,
    confidence,
    sentiment,
    created_at - %(days)s * interval '1 day' as created_at
from month_of_rows
where created_at >= %(day_start)s::timestamp;
