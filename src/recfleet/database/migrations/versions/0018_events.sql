-- What came of answers, as the tenants' applications tell it; a partition a month of arrival. Events are
-- kept as they came, and never changed.
create table recfleet.event (
  tenant_id    text not null references recfleet.tenant on delete restrict,
  event_id     text not null,                   -- the sender's; a repeated one changes nothing
  received_at  timestamptz not null default now(),
  happened_at  timestamptz not null,
  kind         text not null check (kind in ('shown', 'accepted', 'rejected', 'bought')),
  product_id   text not null,
  customer_id  text,                            -- null: nobody knows who it was
  answer_id    uuid,                            -- null: no answer is named
  position     smallint,                        -- of the product in what was shown, from 1
  quantity     double precision,                -- of what was bought
  amount       double precision,                -- of money for one piece
  standing     text not null check (standing in ('in time', 'late', 'early', 'impossible')),
  told_by      text not null                    -- the key
) partition by range (received_at);
create index on recfleet.event (tenant_id, event_id);

-- Makes the partition of a month. It is made on its own and then attached, so that readers of the
-- others do not wait.
create function recfleet.make_event_partition(of_month timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  begins timestamp := date_trunc('month', of_month at time zone 'UTC');
  part text := format('event_%s', to_char(begins, 'YYYY_MM'));
begin
  if to_regclass(format('recfleet.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('recfleet event partitions'), 0);
  begin
    execute format('create table recfleet.%I '
                   '(like recfleet.event including defaults including constraints)', part);
  exception when duplicate_table then
    return;                                     -- somebody made it, for whom this has waited
  end;
  execute format('alter table recfleet.event attach partition recfleet.%I for values from (%L) to (%L)',
                 part, begins at time zone 'UTC', (begins + interval '1 month') at time zone 'UTC');
  -- Whoever asked for a partition by its name would pass row security by.
  execute format('revoke all on recfleet.%I from public, recfleet_reader, recfleet_writer', part);
end $$;
select recfleet.make_event_partition(now());

alter table recfleet.event enable row level security;
create policy all_tenants on recfleet.event to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.event for select to recfleet_reader using (true);
create policy seen_tenant on recfleet.event to recfleet_live
  using (tenant_id = (select recfleet.seen_tenant()))
  with check (tenant_id = (select recfleet.seen_tenant()));
grant select, insert on recfleet.event to recfleet_live;
-- Events are added by callers, and deleted with their tenant.
revoke insert, update, truncate on recfleet.event from recfleet_writer;

-- What must be there before a tenant's events are added: partitions, and a lock until the transaction
-- ends. Callers of one tenant wait for each other, so that an event sent twice at once is kept once.
create function recfleet.prepare_events(of_tenant text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- A month ahead: to attach a partition has to wait for whoever writes to tenants.
  begin
    perform recfleet.make_event_partition(now() + interval '1 month');
  exception when lock_not_available then
    null;                                       -- the next event tries again
  end;
  perform recfleet.make_event_partition(now());
  perform pg_advisory_xact_lock(hashtextextended('events ' || of_tenant, 0));
end $$;

-- Keeps events for a key, and says which of them were there before.
create function recfleet.serve_events(
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
  with sent as (
    select *
      from jsonb_to_recordset(events) as one (
        event_id text, happened_at timestamptz, kind text, product_id text, customer_id text,
        answer_id uuid, position smallint, quantity double precision, amount double precision,
        standing text)
  ), known as (
    select event.event_id from recfleet.event
     where event.tenant_id = of_tenant and event.event_id in (select sent.event_id from sent)
  ), kept as (
    insert into recfleet.event (
      tenant_id, event_id, happened_at, kind, product_id, customer_id, answer_id, position,
      quantity, amount, standing, told_by)
    select of_tenant, sent.event_id, sent.happened_at, sent.kind, sent.product_id, sent.customer_id,
           sent.answer_id, sent.position, sent.quantity, sent.amount, sent.standing, of_key
      from sent where sent.event_id not in (select known.event_id from known)
  )
  select coalesce(array_agg(known.event_id), '{}') into repeated from known;
end $$;

-- What a key opens. Null `tenant_id`: the tenant is gone.
create function recfleet.serve_key(
  of_key text, with_digest bytea,
  out trouble text, out tenant_id text, out topic uuid, out tenant_name text, out mode text,
  out key_name text, out scopes text[], out expires_at timestamptz
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  known recfleet.api_key;
begin
  select * into known from recfleet.api_key
   where api_key.key_id = of_key and api_key.digest = with_digest;
  select opened.trouble into trouble
    from recfleet.open_key(of_key, with_digest, known.scopes[1]) as opened;
  if trouble is not null then
    return;
  end if;
  key_name := known.name;
  scopes := known.scopes;
  expires_at := known.expires_at;
  select tenant.tenant_id, tenant.topic, tenant.name, tenant.mode
    into tenant_id, topic, tenant_name, mode
    from recfleet.tenant where tenant.tenant_id = known.tenant_id;
end $$;

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_events(text, bytea, text, jsonb) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function
  recfleet.make_event_partition(timestamptz), recfleet.prepare_events(text),
  recfleet.serve_events(text, bytea, text, jsonb),
  recfleet.serve_key(text, bytea) from public;
grant execute on function recfleet.prepare_events(text) to recfleet_live;
grant execute on function
  recfleet.serve_events(text, bytea, text, jsonb), recfleet.serve_key(text, bytea) to recfleet_api;
