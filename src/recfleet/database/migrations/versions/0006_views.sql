-- Each table belongs to one room of the code, and only that room's SQL names it. Other rooms read
-- these views, which join to a table the columns that are asked for most often. All are plain joins,
-- so the planner sees through them. Where a key guarantees the joined row, the join is a left join:
-- it finds the same rows, and the planner drops it when a query reads nothing from it. A count in a
-- column is dropped in the same way.

-- Tenants -------------------------------------------------------------------------------------------

-- All tenants, without their policies.
create view recfleet.roster as
select tenant_id,
       name,
       mode,
       mode <> 'off' as is_served
  from recfleet.tenant;

-- Products ------------------------------------------------------------------------------------------

create view recfleet.catalogue as
select tenant_id,
       product_id,
       name,
       category,
       discontinued_at,
       discontinued_at is null as is_sold
  from recfleet.product;

-- Nights --------------------------------------------------------------------------------------------

create view recfleet.night_overview as
select night_id,
       run_id,
       logical_date,
       as_of,
       kind,
       is_trial,
       backfill,
       status,
       started_at,
       finished_at,
       coalesce(backfill, run_id) as airflow_run,   -- no Airflow run for work by day
       summary,
       summary ->> 'sentence' as sentence,
       (summary ->> 'left_out')::integer as left_out,
       -- A night of a few named tenants does not count.
       kind = 'fleet' and summary ->> 'left_out' is null as is_of_fleet
  from recfleet.night;

-- A tenant's row of the ledger beside its night.
create view recfleet.tenant_night as
select ledger.tenant_id,
       ledger.night_id,
       ledger.mode,
       ledger.policy,
       ledger.shard,
       ledger.estimated_ms,
       ledger.basis,
       ledger.state,
       ledger.verdict,
       ledger.held_by,
       ledger.held_verdict,
       ledger.outcome,
       ledger.reason,
       ledger.numbers,
       ledger.skill,
       ledger.challenger,
       ledger.intent,
       ledger.release_id,
       ledger.timings,
       ledger.updated_at,
       night.run_id,
       night.as_of,
       night.kind,
       night.is_trial,
       night.backfill,
       night.status,
       night.started_at,
       night.finished_at,
       coalesce(night.backfill, night.run_id) as airflow_run,
       night.kind = 'fleet' and night.summary ->> 'left_out' is null as is_of_fleet,
       -- The judge's numbers that tables show: the record knows where they lie in the JSON.
       (ledger.numbers #>> '{contenders,challenger,rmse}')::float as rmse_challenger,
       (ledger.numbers #>> '{contenders,champion,rmse}')::float as rmse_champion,
       (ledger.numbers #>> '{contenders,popularity,rmse}')::float as rmse_popularity,
       (ledger.numbers #>> '{contenders,previous,rmse}')::float as rmse_previous,
       (ledger.numbers #>> '{contenders,challenger,ndcg_at_10}')::float as ndcg_challenger,
       (ledger.numbers #>> '{contenders,champion,ndcg_at_10}')::float as ndcg_champion,
       (ledger.numbers #>> '{contenders,popularity,ndcg_at_10}')::float as ndcg_popularity,
       (ledger.numbers #>> '{contenders,previous,ndcg_at_10}')::float as ndcg_previous,
       (ledger.numbers #>> '{gain,value}')::float as gain,
       (ledger.numbers #>> '{gain,low}')::float as gain_low,
       (ledger.numbers #>> '{gain,high}')::float as gain_high,
       (ledger.numbers #>> '{probation,value}')::float as previous_gain,
       (ledger.numbers #>> '{holdout,customers}')::int as holdout_customers
  from recfleet.ledger
  left join recfleet.night on night.night_id = ledger.night_id;

-- The same without trials: what a night of the past found when it was run again does not count.
create view recfleet.counted_night as
select * from recfleet.tenant_night where not is_trial;

-- One attempt of a shard's task.
create view recfleet.shard_task as
select night_id,
       stage,
       shard,
       attempt,
       started_at,
       finished_at,
       finished_at is null as is_running,
       extract(epoch from coalesce(finished_at, now()) - started_at)::float as seconds,
       tenants,
       failed,
       import_seconds,
       overhead_seconds,
       peak_mb
  from recfleet.shard_run;

-- Champions -----------------------------------------------------------------------------------------

-- A tenant's champion, with the model before it beside it.
create view recfleet.in_force as
select champion.tenant_id,
       champion.version,
       champion.run_id,
       champion.model_uri,
       champion.train_end,
       champion.night_id,
       champion.promoted_at,
       coalesce(night.as_of, champion.promoted_at) as since, -- by the nights' own clock
       previous.version as previous_version,
       previous.run_id as previous_run_id,
       previous.model_uri as previous_model_uri,
       previous.train_end as previous_train_end,
       previous.night_id as previous_night_id,
       previous.promoted_at as previous_promoted_at
  from recfleet.champion
  left join recfleet.champion as previous
    on previous.tenant_id = champion.tenant_id and previous.role = 'previous'
  left join recfleet.night on night.night_id = champion.night_id
 where champion.role = 'champion';

-- A change of champion that waits for a person, or has waited.
create view recfleet.approval_request as
select approval.approval_id,
       approval.tenant_id,
       approval.night_id,
       approval.change,
       approval.version,
       approval.run_id,
       approval.against,
       approval.held_by,
       approval.status,
       -- An expired request can no longer be answered, though its status may stay 'waiting' for a
       -- while.
       approval.status = 'waiting' and approval.expires_at > now() as is_open,
       approval.requested_at,
       approval.expires_at,
       approval.decided_at,
       approval.decided_by,
       approval.decision_reason,
       approval.is_told,
       night.as_of,
       night.run_id as night_run_id
  from recfleet.approval
  left join recfleet.night on night.night_id = approval.night_id;

-- Every model that is in force or may become so: roles champion, previous and waiting.
create view recfleet.model_on_record as
select tenant_id, role, version, run_id, model_uri, train_end, night_id
  from recfleet.champion
 union all
select approval.tenant_id,
       'waiting',
       approval.version,
       approval.run_id,
       challenger.model_uri,                        -- null: its night no longer has it
       challenger.train_end,
       approval.night_id
  from recfleet.approval
  left join lateral (
    select ledger.challenger ->> 'model_uri' as model_uri,
           (ledger.challenger ->> 'train_end')::timestamptz as train_end
      from recfleet.ledger
     where ledger.night_id = approval.night_id and ledger.tenant_id = approval.tenant_id
       and ledger.challenger ->> 'run_id' = approval.run_id) as challenger on true
 where approval.status = 'waiting';

-- The audit -----------------------------------------------------------------------------------------

-- The audit as people read it, without its chain.
create view recfleet.history as
select audit_id,
       happened_at,
       tenant_id,
       night_id,
       kind,
       kind in ('first model', 'promotion', 'rollback') as is_coronation,
       from_version,
       to_version,
       numbers,
       facts,
       actor,
       reason
  from recfleet.audit;

-- Data quality --------------------------------------------------------------------------------------

-- A tenant under one expectation in one night.
create view recfleet.quality_finding as
select quality_result.night_id,
       quality_result.tenant_id,
       quality_result.expectation,
       quality_result.severity,
       quality_result.success,
       quality_result.observed,
       quality_result.expected,
       quality_result.sample,
       data_docs.night_id is not null as has_docs  -- a page of Data Docs about the tenant's night
  from recfleet.quality_result
  left join recfleet.data_docs
    on data_docs.night_id = quality_result.night_id
   and data_docs.tenant_id = quality_result.tenant_id;

-- Releases ------------------------------------------------------------------------------------------

-- A release beside its night, with the result of its checks.
create view recfleet.release_overview as
select release.release_id,
       release.tenant_id,
       release.night_id,
       release.as_of,
       release.served_by,
       release.model_version,
       release.run_id,
       release.fingerprint,
       release.customers,
       release.from_model,
       release.checks,
       release.checks = '[]' as is_unchecked,
       release.checks @> '[{"passed": false}]' as has_failed,
       (select count(*) from recfleet.recommendation
         where recommendation.night_id = release.night_id
           and recommendation.release_id = release.release_id) as written, -- lists that exist
       release.created_at,
       night.kind,
       night.is_trial,
       coalesce(night.backfill, night.run_id) as airflow_run
  from recfleet.release
  left join recfleet.night on night.night_id = release.night_id;

-- A tenant's live release. Customers of a tenant that is off are served nothing.
create view recfleet.live as
select live_release.tenant_id,
       live_release.release_id,
       live_release.night_id,
       live_release.switched_at,
       release.as_of,
       release.served_by,
       release.model_version,
       release.run_id,
       release.fingerprint,
       release.customers,
       release.from_model,
       release.popular_products,
       release.popular_scores,
       release.checks,
       release.checks = '[]' as is_unchecked,
       release.checks @> '[{"passed": false}]' as has_failed,
       release.created_at,
       (select count(*) from recfleet.recommendation
         where recommendation.night_id = live_release.night_id
           and recommendation.release_id = live_release.release_id) as written,
       night.kind,
       coalesce(night.backfill, night.run_id) as airflow_run
  from recfleet.live_release
  left join recfleet.release on release.release_id = live_release.release_id
  left join recfleet.night on night.night_id = live_release.night_id;
