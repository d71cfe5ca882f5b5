-- A month of messages in the width in which 100,000,000 of them stay below 20 GB.
create unlogged table month_of_rows as
select
    organization_id,
    channel_id,
    topic,
    confidence,
    jsonb_build_object('tone', sentiment ->> 'tone') as sentiment,
    created_at
from topic_classifications;
