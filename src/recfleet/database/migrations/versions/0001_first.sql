-- Who the tenants are -----------------------------------------------------------------------------

create table recfleet.tenant (
  tenant_id   text primary key check (tenant_id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  name        text not null,
  mode        text not null default 'on' check (mode in ('on', 'frozen', 'off')),
  policy      jsonb not null default '{}',      -- only what differs from the fleet's defaults
  created_at  timestamptz not null default now()
);

-- What they bought --------------------------------------------------------------------------------

create table recfleet.ingest (
  ingest_id    bigint generated always as identity primary key,
  source       text not null,                   -- the file's name, or how it was seeded
  fingerprint  text not null,                   -- sha256 of the file, hex
  started_at   timestamptz not null default now(),
  finished_at  timestamptz,
  lines        bigint,                          -- read
  added        bigint,                          -- new interactions
  known        bigint,                          -- interactions that were there already
  unusable     jsonb                            -- reason -> lines
);

-- One row a purchase line. The hash covers what a line says and its number among equal lines of
-- its file, so that reading a file again adds nothing while a true repetition stays.
-- No foreign key to tenant: checking it would cost more than the COPY.
create table recfleet.interaction (
  tenant_id    text not null,
  occurred_at  timestamptz not null,
  line_hash    bigint not null,
  customer_id  text not null,
  product_id   text not null,
  quantity     double precision not null,       -- negative: a return or cancellation
  amount       double precision not null,       -- of the whole line, in the tenant's currency
  repetition   smallint not null default 1,     -- 1 for the first of equal lines, 2 for the second…
  primary key (tenant_id, occurred_at, line_hash)
);

-- Lines that could not be used, as they came.
create table recfleet.unusable_line (
  tenant_id   text not null,
  placed_at   timestamptz,                      -- its own time or, without one, that of the last
                                                -- usable line before it in the file
  line_hash   bigint not null,
  reason      text not null,                    -- no customer, unreadable time, …
  line        jsonb not null,
  ingest_id   bigint references recfleet.ingest,
  primary key (tenant_id, line_hash)
);
create index on recfleet.unusable_line (tenant_id, placed_at);

create table recfleet.product (
  tenant_id        text not null,
  product_id       text not null,
  name             text,
  discontinued_at  timestamptz,                 -- null: still sold
  primary key (tenant_id, product_id)
);

-- The ledger --------------------------------------------------------------------------------------

create table recfleet.night (
  night_id      bigint generated always as identity primary key,
  run_id        text not null unique,           -- Airflow's DAG run
  logical_date  timestamptz,
  as_of         timestamptz not null,
  status        text not null default 'running' check (status in ('running', 'done', 'failed')),
  started_at    timestamptz not null default now(),
  finished_at   timestamptz,
  summary       jsonb
);

create table recfleet.ledger (
  night_id        bigint not null references recfleet.night,
  tenant_id       text not null,
  mode            text not null,                -- the tenant's when the night was planned
  policy          jsonb not null,               -- likewise
  shard           smallint not null,
  estimated_ms    real not null,
  basis           text not null,                -- what the night is made from; equal: nothing new
  state           text not null default 'planned' check (state in
                    ('planned', 'validated', 'trained', 'judged', 'published',
                     'quarantined', 'failed', 'unchanged')),
  verdict         text check (verdict in
                    ('promote', 'keep', 'rollback', 'reject', 'await approval')),
  outcome         text check (outcome in
                    ('first model', 'promoted', 'kept', 'rolled back', 'rejected',
                     'awaiting approval', 'too thin', 'frozen', 'quarantined', 'failed',
                     'unchanged', 'no data', 'nothing to offer')),
  reason          text,                         -- in words, for people
  numbers         jsonb,                        -- the judge's, of every contender
  challenger      jsonb,                        -- where its arrays are, its run, its fingerprint
  intent          jsonb,                        -- the promotion begun in MLflow and not done here
  release_id      bigint,
  timings         jsonb not null default '{}',  -- part -> milliseconds
  updated_at      timestamptz not null default now(),
  primary key (night_id, tenant_id)
);
create index on recfleet.ledger (night_id, shard);
create index on recfleet.ledger (updated_at) where intent is not null;
create index on recfleet.ledger (tenant_id, night_id desc);

-- What each shard's task cost as a process.
create table recfleet.shard_run (
  night_id        bigint not null references recfleet.night,
  stage           text not null,
  shard           smallint not null,
  attempt         smallint not null,
  started_at      timestamptz not null,
  finished_at     timestamptz,
  tenants         integer,
  failed          integer,
  import_seconds  jsonb not null default '{}',  -- heavy library -> seconds
  peak_mb         real,
  primary key (night_id, stage, shard, attempt)
);

-- Data quality ------------------------------------------------------------------------------------

create table recfleet.quality_result (
  night_id     bigint not null references recfleet.night,
  tenant_id    text not null,
  expectation  text not null,                   -- its name in the suite's file
  severity     text not null check (severity in ('critical', 'warning', 'info')),
  success      boolean not null,
  observed     double precision,
  expected     text,                            -- in words
  sample       jsonb,                           -- some of the lines that failed
  primary key (night_id, tenant_id, expectation)
);

-- Champions and how they came to be ---------------------------------------------------------------

create table recfleet.champion (
  tenant_id    text not null,
  role         text not null check (role in ('champion', 'previous')),
  version      integer not null,                -- of the registered model als-<tenant>
  run_id       text not null,                   -- MLflow's run
  model_uri    text not null,                   -- folder of the arrays
  train_end    timestamptz not null,
  night_id     bigint references recfleet.night,
  promoted_at  timestamptz not null default now(),
  primary key (tenant_id, role)
);

create table recfleet.promotion (
  promotion_id  bigint generated always as identity primary key,
  tenant_id     text not null,
  night_id      bigint references recfleet.night,
  kind          text not null check (kind in ('first model', 'promotion', 'rollback')),
  from_version  integer,
  to_version    integer not null,
  numbers       jsonb not null,
  reason        text not null,
  actor         text not null,
  happened_at   timestamptz not null default now(),
  unique (night_id, tenant_id)
);
create function recfleet.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'recfleet.% is append-only', tg_table_name;
end $$;
create trigger append_only before update or delete or truncate on recfleet.promotion
  for each statement execute function recfleet.refuse_change();

-- Releases ----------------------------------------------------------------------------------------

create table recfleet.release (
  release_id        bigint generated always as identity primary key,
  tenant_id         text not null,
  night_id          bigint not null references recfleet.night,
  served_by         text not null check (served_by in ('model', 'popularity')),
  model_version     integer check ((model_version is null) = (served_by = 'popularity')),
  run_id            text,
  as_of             timestamptz not null,
  fingerprint       text not null,              -- of the interactions it was made from
  customers         integer not null,           -- rows of recommendation, or it is not complete
  from_model        integer not null,           -- customers whose list is the model's
  popular_products  text[] not null,            -- the list for anybody unknown
  popular_scores    real[] not null,
  checks            jsonb not null,             -- [{name, passed, detail}]
  created_at        timestamptz not null default now(),
  unique (release_id, night_id, tenant_id),     -- for live_release to refer to
  -- A night can hold the old champion's release beside that of one approved by day.
  unique nulls not distinct (tenant_id, night_id, model_version)
);

create table recfleet.live_release (
  tenant_id    text primary key,
  release_id   bigint not null unique,
  night_id     bigint not null,                 -- the release's: its partition
  switched_at  timestamptz not null default now(),
  foreign key (release_id, night_id, tenant_id)
    references recfleet.release (release_id, night_id, tenant_id)
);

-- No transaction can leave a tenant with live lists of a model that is not its champion. Checked at
-- commit, so that within one the order does not matter; the lock keeps two of them apart.
create function recfleet.refuse_stray_release() returns trigger language plpgsql as $$
declare
  of_tenant constant text := coalesce(new.tenant_id, old.tenant_id);
  live record;
begin
  perform from recfleet.tenant where tenant_id = of_tenant for no key update;
  select release.release_id, release.model_version, champion.version
    into live
    from recfleet.live_release
    join recfleet.release using (release_id)
    left join recfleet.champion
      on champion.tenant_id = of_tenant and champion.role = 'champion'
   where live_release.tenant_id = of_tenant
     and release.served_by = 'model'
     and release.model_version is distinct from champion.version;
  if found then
    raise exception 'the live release % of tenant % is of model version %, its champion is %',
      live.release_id, of_tenant, live.model_version,
      coalesce('version ' || live.version, 'missing');
  end if;
  return null;
end $$;
create constraint trigger live_is_champion
  after insert or update on recfleet.live_release
  deferrable initially deferred
  for each row execute function recfleet.refuse_stray_release();
create constraint trigger live_is_champion
  after insert or update or delete on recfleet.champion
  deferrable initially deferred
  for each row execute function recfleet.refuse_stray_release();

-- One row a customer, with an empty list when nothing is left to offer; a partition a night, made
-- when the night is planned.
create table recfleet.recommendation (
  night_id     bigint not null,
  release_id   bigint not null,
  customer_id  text not null,
  products     text[] not null,
  scores       real[] not null check (cardinality(scores) = cardinality(products)),  -- falling
  source       text not null check (source in ('model', 'popular')),
  primary key (night_id, release_id, customer_id)
) partition by list (night_id);

create view recfleet.live_recommendation as
select release.tenant_id,
       recommendation.customer_id,
       item.rank::integer as rank,
       item.product_id,
       item.score,
       release.model_version,
       release.release_id,
       release.as_of,
       recommendation.source
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  -- On the night as well, so that in whatever order they are joined one partition is read.
  join recfleet.release using (release_id, night_id)
  join recfleet.recommendation using (release_id, night_id)
 cross join lateral unnest(recommendation.products, recommendation.scores)
       with ordinality as item (product_id, score, rank)
 where tenant.mode <> 'off';

-- What a customer gets whom the live release does not know.
create view recfleet.live_popular as
select release.tenant_id,
       item.rank::integer as rank,
       item.product_id,
       item.score,
       release.release_id,
       release.as_of
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  join recfleet.release using (release_id, night_id)
 cross join lateral unnest(release.popular_products, release.popular_scores)
       with ordinality as item (product_id, score, rank)
 where tenant.mode <> 'off';
