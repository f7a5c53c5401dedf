-- Keeps events that nobody has kept; says which were there before. Of those with one id the first is
-- kept. Each is looked up by itself: a join would read all events of the tenant, for each call anew.
-- It runs with the rights of its caller; the partitions are there, and the tenant's lock is held.
create function recfleet.keep_events(
  of_tenant text, arrived timestamptz, told text, events jsonb, out repeated text[]
)
language plpgsql volatile set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
begin
  with sent as materialized (
    select distinct on (event_id) *,
           (select true from recfleet.event
             where event.tenant_id = of_tenant and event.event_id = one.event_id limit 1) as is_known
      from rows from (
        jsonb_to_recordset(events) as (
          event_id text, happened_at timestamptz, kind text, product_id text, customer_id text,
          answer_id uuid, position smallint, quantity double precision, amount double precision,
          standing text)
      ) with ordinality as one (
        event_id, happened_at, kind, product_id, customer_id, answer_id, position, quantity, amount,
        standing, place)
     order by event_id, place
  ), kept as (
    insert into recfleet.event (
      tenant_id, event_id, received_at, happened_at, kind, product_id, customer_id, answer_id,
      position, quantity, amount, standing, told_by)
    select of_tenant, event_id, arrived, happened_at, kind, product_id, customer_id, answer_id,
           position, quantity, amount, standing, told
      from sent where is_known is null
  )
  select coalesce(array_agg(event_id), '{}') into repeated from sent where is_known;
end $$;

-- For files and simulations, as before.
create or replace function recfleet.add_events(
  of_tenant text, arrived timestamptz, told text, events jsonb, out repeated text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform recfleet.prepare_events(of_tenant);
  if arrived is not null then
    perform recfleet.make_event_partition(arrived);
  end if;
  repeated := recfleet.keep_events(of_tenant, coalesce(arrived, now()), told, events);
end $$;

-- For a key, as before.
create or replace function recfleet.serve_events(
  of_key text, with_digest bytea, of_tenant text, events jsonb,
  out trouble text, out tenant_id text, out topic uuid, out repeated text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'events') as opened;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = of_tenant;
  if tenant_id is null then
    return;
  end if;
  perform recfleet.prepare_events(of_tenant);
  repeated := recfleet.keep_events(of_tenant, now(), of_key, events);
end $$;

revoke execute on function recfleet.keep_events(text, timestamptz, text, jsonb) from public;
grant execute on function recfleet.keep_events(text, timestamptz, text, jsonb) to recfleet_live;
