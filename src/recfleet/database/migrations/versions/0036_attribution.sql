-- A purchase that is credited to an answer, once. It is a line of the purchases or, where these have
-- none yet, what the application told.
create table recfleet.attribution (
  tenant_id      text not null references recfleet.tenant on delete restrict,
  day            date not null,                 -- of the purchase, in UTC
  bought_at      timestamptz not null,
  line_hash      bigint,                        -- of the purchase line; null: it is not there (yet)
  event_id       text,                          -- that told of the purchase; null: none did
  customer_id    text,                          -- null: nobody knows who it was
  product_id     text not null,
  quantity       double precision not null,
  revenue        double precision not null,     -- of the whole line
  way            text not null check (way in ('claimed', 'matched')),
  shown_at       timestamptz not null,          -- what it is credited to; claimed: the answer's time
  answer_id      uuid,                          -- null: the application named none
  channel        text not null check (channel in ('pull', 'push', 'unknown')),
  kind           text not null check (kind in ('new', 'again', 'unknown')),
  model_version  integer,
  arm            text,
  check (line_hash is not null or event_id is not null)
);
create index on recfleet.attribution (tenant_id, day);
create index on recfleet.attribution (tenant_id, customer_id);

-- How far a tenant's attribution has come.
create table recfleet.attributed (
  tenant_id    text primary key references recfleet.tenant on delete restrict,
  as_of        timestamptz not null,            -- nothing later was seen
  window_days  double precision not null,       -- the policy's, then
  since        date not null                    -- the first day that was looked at
);

-- What a day's purchases were when they were attributed; when they change, the day is made again.
create table recfleet.attributed_day (
  tenant_id  text not null references recfleet.tenant on delete restrict,
  day        date not null,
  lines      bigint not null,
  hashes     bigint not null,                   -- of all lines together
  primary key (tenant_id, day)
);

-- What came of a day's answers. Rows of the kind `all` count lists and customers, the others the
-- products in them.
create table recfleet.kpi_day (
  tenant_id      text not null references recfleet.tenant on delete restrict,
  day            date not null,
  channel        text not null,
  kind           text not null check (kind in ('all', 'new', 'again', 'unknown')),
  model_version  integer,
  arm            text,
  lists          integer not null,              -- customers who were given an answer
  customers      integer not null,              -- customers who saw something of it
  shown          integer not null,              -- products that were seen
  accepted       integer not null,
  rejected       integer not null,
  purchases      integer not null,              -- attributed, of this day
  claimed        integer not null,              -- of these, by an answer's id
  revenue        double precision not null,     -- attributed
  unique nulls not distinct (tenant_id, day, channel, kind, model_version, arm)
);

-- What recommending brings against the control, as a night saw it.
create table recfleet.incremental (
  tenant_id     text not null references recfleet.tenant on delete restrict,
  day           date not null,                  -- of the night's as-of
  channel       text not null check (channel in ('pull', 'push')),
  served        integer not null,               -- customers whose window has passed
  control       integer not null,
  served_mean   double precision,               -- of revenue in the window, a customer
  control_mean  double precision,
  difference    double precision,               -- with CUPED; null: a side has too few customers
  low           double precision,
  high          double precision,
  primary key (tenant_id, day, channel)
);

-- What one customer has accepted; most events are showings.
create index on recfleet.event (tenant_id, customer_id, happened_at) where kind = 'accepted';

do $$
declare
  part text;
begin
  foreach part in array array['attribution', 'attributed', 'attributed_day', 'kpi_day', 'incremental']
  loop
    execute format('alter table recfleet.%I enable row level security', part);
    execute format('create policy all_tenants on recfleet.%I to recfleet_writer using (true) '
                   'with check (true)', part);
    execute format('create policy all_tenants_to_read on recfleet.%I for select to recfleet_reader '
                   'using (true)', part);
  end loop;
  foreach part in array array['kpi_day', 'incremental'] loop
    execute format('create policy seen_tenant on recfleet.%I for select to recfleet_live '
                   'using (tenant_id = (select recfleet.seen_tenant()))', part);
    execute format('grant select on recfleet.%I to recfleet_live', part);
  end loop;
end $$;

-- The days of a tenant's KPIs for a key, and what the last night knew of the control.
create function recfleet.serve_insights(
  of_key text, with_digest bytea, of_tenant text, since date, until date,
  out trouble text, out tenant_id text, out topic text, out days jsonb, out incremental jsonb
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  trouble := (recfleet.open_key(of_key, with_digest, 'read')).trouble;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic::text into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = of_tenant;
  if tenant_id is null then
    return;
  end if;
  select coalesce(jsonb_agg(to_jsonb(kpi_day) - 'tenant_id'
                            order by kpi_day.day, kpi_day.channel, kpi_day.kind,
                                     kpi_day.model_version, kpi_day.arm), '[]')
    into days
    from recfleet.kpi_day
   where kpi_day.tenant_id = of_tenant and kpi_day.day >= since and kpi_day.day < until;
  select coalesce(jsonb_agg(to_jsonb(last) - 'tenant_id' order by last.channel), '[]')
    into incremental
    from (select distinct on (incremental.channel) incremental.*
            from recfleet.incremental
           where incremental.tenant_id = of_tenant and incremental.day < until
           order by incremental.channel, incremental.day desc) as last;
end $$;

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_insights(text, bytea, text, date, date) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function recfleet.serve_insights(text, bytea, text, date, date) from public;
grant execute on function recfleet.serve_insights(text, bytea, text, date, date) to recfleet_api;
