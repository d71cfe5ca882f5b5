-- The messages, empty, partitioned by the month of created_at.
create table by_month (like topic_classifications including defaults)
partition by range (created_at);

drop table topic_classifications;

alter table by_month rename to topic_classifications;
