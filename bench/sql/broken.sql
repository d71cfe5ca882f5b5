-- A trigger that fails for the organizations of a table, which is empty at first.
create table broken (organization_id uuid primary key);

create function refuse_broken() returns trigger language plpgsql as $$
begin
    if exists (select from broken where organization_id = new.organization_id) then
        raise 'broken';
    end if;
    return new;
end $$;

create trigger refuse_broken before insert or update on communication_trends
for each row execute function refuse_broken();
