-- Which customer was given an answer on which day, whether or not it had items. The first answer of a
-- day and channel counts.
create table recfleet.exposure (
  tenant_id      text not null references recfleet.tenant on delete restrict,
  customer_id    text not null,
  day            date not null                  -- of the answer, in UTC
                 generated always as ((answered_at at time zone 'UTC')::date) stored,
  channel        text not null check (channel in ('pull', 'push')),
  answered_at    timestamptz not null,
  answer_id      uuid,                          -- of a campaign's list; null: asked for (pull)
  model_version  integer,                       -- that made the list; null: no model
  arm            text,                          -- control: kept out by lot; null: no experiment
  primary key (tenant_id, customer_id, day, channel)
);
create index on recfleet.exposure (tenant_id, day);

alter table recfleet.exposure enable row level security;
create policy all_tenants on recfleet.exposure to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.exposure for select to recfleet_reader using (true);
create policy seen_tenant on recfleet.exposure to recfleet_live
  using (tenant_id = (select recfleet.seen_tenant()))
  with check (tenant_id = (select recfleet.seen_tenant()));
grant select, insert on recfleet.exposure to recfleet_live;
revoke update, truncate on recfleet.exposure from recfleet_writer;

-- Notes exposures for many keys at once; a key that opens nothing any more is passed over.
create function recfleet.serve_exposures(exposed jsonb, out kept integer)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' as $$
declare
  one record;
  opened record;
  added integer;
begin
  kept := 0;
  for one in
    select * from jsonb_to_recordset(exposed) as of_key (
      key_id text, digest text, tenant_id text, customers jsonb)
     order by tenant_id, key_id
  loop
    select * into opened from recfleet.open_key(one.key_id, decode(one.digest, 'hex'), 'read');
    if opened.of_tenant is distinct from one.tenant_id
       or not exists (select from recfleet.tenant where tenant.tenant_id = opened.of_tenant) then
      continue;
    end if;
    insert into recfleet.exposure (
      tenant_id, customer_id, channel, answered_at, answer_id, model_version, arm)
    select opened.of_tenant, given.customer_id, given.channel, given.answered_at, given.answer_id,
           given.model_version, given.arm
      from jsonb_to_recordset(one.customers) as given (
        customer_id text, channel text, answered_at timestamptz, answer_id uuid,
        model_version integer, arm text)
     order by given.customer_id, given.channel, given.answered_at
    on conflict do nothing;
    get diagnostics added = row_count;
    kept := kept + added;
  end loop;
end $$;

-- Keeps events of a file, or of a simulation, as if they had arrived at a time; says which of them were
-- there before. Of those with one id the first is kept. A null `arrived` is now.
create function recfleet.add_events(
  of_tenant text, arrived timestamptz, told text, events jsonb, out repeated text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform recfleet.prepare_events(of_tenant);
  if arrived is not null then
    perform recfleet.make_event_partition(arrived);
  end if;
  with sent as (
    select distinct on (event_id) *
      from rows from (
        jsonb_to_recordset(events) as (
          event_id text, happened_at timestamptz, kind text, product_id text, customer_id text,
          answer_id uuid, position smallint, quantity double precision, amount double precision,
          standing text)
      ) with ordinality as one (
        event_id, happened_at, kind, product_id, customer_id, answer_id, position, quantity, amount,
        standing, place)
     order by event_id, place
  ), known as (
    select event.event_id from recfleet.event
     where event.tenant_id = of_tenant and event.event_id in (select sent.event_id from sent)
  ), kept as (
    insert into recfleet.event (
      tenant_id, event_id, received_at, happened_at, kind, product_id, customer_id, answer_id,
      position, quantity, amount, standing, told_by)
    select of_tenant, sent.event_id, coalesce(arrived, now()), sent.happened_at, sent.kind,
           sent.product_id, sent.customer_id, sent.answer_id, sent.position, sent.quantity,
           sent.amount, sent.standing, told
      from sent where sent.event_id not in (select known.event_id from known)
  )
  select coalesce(array_agg(known.event_id), '{}') into repeated from known;
end $$;

-- A night reads what has arrived since the one before.
create index on recfleet.event (tenant_id, received_at);

-- A usable purchase line.
create view recfleet.purchase as
select tenant_id, occurred_at, line_hash, customer_id, product_id, quantity, amount
  from recfleet.interaction;

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_exposures(jsonb) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function
  recfleet.serve_exposures(jsonb), recfleet.add_events(text, timestamptz, text, jsonb) from public;
grant execute on function recfleet.serve_exposures(jsonb) to recfleet_api;
grant execute on function recfleet.add_events(text, timestamptz, text, jsonb) to recfleet_writer;
