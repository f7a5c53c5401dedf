-- Nights of other kinds -----------------------------------------------------------------------------

alter table recfleet.night
  add column kind text not null default 'fleet' check (kind in ('fleet', 'backfill', 'operator')),
  -- A trial writes its ledger and its releases, and changes neither champion nor live release.
  add column is_trial boolean not null default false,
  add column backfill text,                     -- the Airflow run of the backfill it is a night of
  add check ((kind = 'backfill') = (backfill is not null));
create index on recfleet.night (backfill, as_of) where backfill is not null;

alter table recfleet.ledger drop constraint ledger_outcome_check;
alter table recfleet.ledger add constraint ledger_outcome_check check (outcome in
  ('first model', 'promoted', 'kept', 'rolled back', 'rejected', 'awaiting approval', 'too thin',
   'frozen', 'quarantined', 'failed', 'unchanged', 'no data', 'nothing to offer',
   'backfilled', 'switched on'));

-- What decide holds for a person: the verdict becomes 'await approval', and this says what it was.
alter table recfleet.ledger
  add column held_by text check (held_by in ('policy', 'brake')),
  add column held_verdict text check (held_verdict in ('promote', 'rollback'));

alter table recfleet.product add column category text;

-- A customer who must get no recommendation has an empty list, and nobody takes them for unknown.
alter table recfleet.recommendation drop constraint recommendation_source_check;
do $$
declare
  part regclass;
begin
  -- Each partition was made with a constraint of its own, which stays when the parent's goes.
  for part in select inhrelid from pg_inherits where inhparent = 'recfleet.recommendation'::regclass
  loop
    execute format('alter table %s drop constraint if exists recommendation_source_check', part);
  end loop;
end $$;
alter table recfleet.recommendation add constraint recommendation_source_check
  check (source in ('model', 'popular', 'excluded'));

-- Whom an application shows nothing: a customer without a row in live_recommendation who is in here
-- must not be shown what is in live_popular either.
create view recfleet.live_excluded as
select release.tenant_id,
       recommendation.customer_id,
       release.release_id,
       release.as_of
  from recfleet.live_release
  join recfleet.release using (release_id, night_id)
  join recfleet.recommendation using (release_id, night_id)
 where recommendation.source = 'excluded';

-- The audit -----------------------------------------------------------------------------------------

-- Whatever changes a tenant's champion, mode or policy, and who decided it. Rows are numbered without
-- a gap, and each carries the hash of the one before.
create table recfleet.audit (
  audit_id       bigint primary key,            -- given by the trigger
  happened_at    timestamptz not null,
  tenant_id      text,                          -- null: of the fleet
  night_id       bigint references recfleet.night,
  kind           text not null check (kind in
                   ('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval',
                    'approved', 'rejected', 'expired', 'overtaken', 'backfill', 'repair')),
  from_version   integer,
  to_version     integer,
  numbers        jsonb not null default '{}',   -- the judge's, of every contender
  facts          jsonb not null default '{}',   -- what else belongs to the kind
  actor          text not null check (btrim(actor) <> ''),
  reason         text not null,
  previous_hash  text not null,
  hash           text not null unique,
  check (kind not in ('first model', 'promotion', 'rollback')
         or (tenant_id is not null and to_version is not null))
);
create index on recfleet.audit (tenant_id, audit_id);
create index on recfleet.audit (night_id);

-- What an entry's hash is taken of. Times are in UTC whatever the session's zone; columns that come
-- later do not change it.
create function recfleet.audit_text(entry recfleet.audit) returns text
language sql stable set timezone = 'UTC' as $$
  select jsonb_build_array(
    entry.audit_id, entry.happened_at, entry.tenant_id, entry.night_id, entry.kind,
    entry.from_version, entry.to_version, entry.numbers, entry.facts, entry.actor, entry.reason,
    entry.previous_hash)::text
$$;

-- Entries are chained in the order in which the lock is had, which is the order of commits. Whoever
-- writes an entry of a tenant holds that tenant's lock already, and takes no other lock that somebody
-- who waits here could hold.
create function recfleet.chain_audit() returns trigger language plpgsql as $$
declare
  former record;
begin
  perform pg_advisory_xact_lock(hashtextextended('recfleet audit', 0));
  select audit_id, hash into former from recfleet.audit order by audit_id desc limit 1;
  new.audit_id := coalesce(former.audit_id, 0) + 1;
  new.happened_at := coalesce(new.happened_at, clock_timestamp());
  new.previous_hash := coalesce(former.hash, '');
  new.hash := encode(sha256(convert_to(recfleet.audit_text(new), 'UTF8')), 'hex');
  return new;
end $$;
create trigger chain before insert on recfleet.audit
  for each row execute function recfleet.chain_audit();

insert into recfleet.audit (happened_at, tenant_id, night_id, kind, from_version, to_version, numbers,
                            facts, actor, reason)
select happened_at, promotion.tenant_id, promotion.night_id, kind, from_version, to_version,
       promotion.numbers, coalesce(ledger.challenger, '{}'), actor, promotion.reason
  from recfleet.promotion left join recfleet.ledger using (night_id, tenant_id)
 order by promotion_id;

create trigger append_only before update or delete or truncate on recfleet.audit
  for each statement execute function recfleet.refuse_change();

drop table recfleet.promotion;
create view recfleet.promotion as
select audit_id as promotion_id, tenant_id, night_id, kind, from_version, to_version, numbers, reason,
       actor, happened_at
  from recfleet.audit
 where kind in ('first model', 'promotion', 'rollback');

-- From each live release to what it was made from, and to who put its model in force, and why.
create view recfleet.live_origin as
select live_release.tenant_id,
       tenant.mode,
       live_release.switched_at,
       release.release_id,
       release.served_by,
       release.as_of,
       release.fingerprint,                       -- of all interactions up to as-of
       night.night_id,
       night.kind as night_kind,
       coalesce(night.backfill, night.run_id) as night_run, -- in Airflow, unless it was by day
       release.model_version,
       release.run_id as mlflow_run,
       made.facts ->> 'model_uri' as model_uri,
       made.facts -> 'recipe' as recipe,
       made.facts -> 'training' as training,      -- from, to, lines, fingerprint
       made.facts -> 'holdout' as holdout,        -- likewise
       made.facts ->> 'code_version' as code_version,
       coalesce(trained.backfill, made.facts ->> 'airflow_run') as trained_in,
       trained.kind as trained_in_kind,
       crowned.audit_id,
       crowned.kind as crowned_by_kind,
       crowned.happened_at as crowned_at,
       crowned.actor as crowned_by,
       crowned.reason as crowned_because,
       crowned.numbers
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  join recfleet.release using (release_id, night_id, tenant_id)
  join recfleet.night using (night_id)
  left join lateral (
    select * from recfleet.audit
     where audit.tenant_id = live_release.tenant_id and to_version = release.model_version
       and kind in ('first model', 'promotion', 'rollback')
     order by audit_id desc limit 1) as crowned on true
  -- Whoever goes back to a model need not tell again what it was made from.
  left join lateral (
    select facts from recfleet.audit
     where audit.tenant_id = live_release.tenant_id and to_version = release.model_version
       and facts ? 'training'
     order by audit_id desc limit 1) as told on true
  left join lateral (
    select challenger from recfleet.ledger
     where told.facts is null and ledger.tenant_id = live_release.tenant_id
       and challenger ->> 'run_id' = release.run_id
     limit 1) as trained_as on true
  left join lateral (
    select coalesce(told.facts, trained_as.challenger, crowned.facts) as facts) as made on true
  left join recfleet.night as trained on trained.run_id = made.facts ->> 'airflow_run';

-- What waits for a person ---------------------------------------------------------------------------

create table recfleet.approval (
  approval_id      bigint generated always as identity primary key,
  tenant_id        text not null,
  night_id         bigint not null references recfleet.night,
  change           text not null check (change in ('promotion', 'rollback')),
  version          integer not null,            -- of als-<tenant>, that would become champion
  run_id           text not null,               -- its run in MLflow
  against          integer,                     -- the champion it was judged against; null: none
  held_by          text not null check (held_by in ('policy', 'brake')),
  status           text not null default 'waiting' check (status in
                     ('waiting', 'approved', 'rejected', 'expired', 'overtaken')),
  requested_at     timestamptz not null default now(),
  expires_at       timestamptz not null,
  decided_at       timestamptz,
  decided_by       text,
  decision_reason  text,
  is_told          boolean not null default false,  -- whether the version in MLflow says so too
  check ((status = 'waiting') = (decided_at is null)),
  unique (tenant_id, night_id)
);
create unique index approval_waiting on recfleet.approval (tenant_id) where status = 'waiting';
create index on recfleet.approval (night_id);
create index approval_untold on recfleet.approval (tenant_id) where status <> 'waiting' and not is_told;

-- Data Docs -----------------------------------------------------------------------------------------

-- A night's pages about data quality, as Great Expectations renders them; each whole in itself.
create table recfleet.data_docs (
  night_id   bigint not null references recfleet.night,
  tenant_id  text,                              -- null: the night's summary
  page       bytea not null,                    -- HTML in UTF-8, by gzip
  unique nulls not distinct (night_id, tenant_id)
);
