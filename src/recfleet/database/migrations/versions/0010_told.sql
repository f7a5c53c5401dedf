-- Columns in place of paths into JSON, which only the room that owns the table should know.

create or replace view recfleet.history as
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
       reason,
       -- Whether it says what the tenant's champion or policy is from then on. A repair does if it
       -- says that what is on record holds; after a deletion, the same id begins anew.
       kind in ('first model', 'promotion', 'rollback', 'deletion')
         or (kind = 'repair' and facts ? 'champion') as is_about_champion,
       kind in ('policy', 'deletion')
         or (kind = 'repair' and facts ? 'policy') as is_about_policy,
       -- The tenant's mode from then on; null: it says nothing about that.
       case kind when 'mode' then coalesce(facts ->> 'mode', facts ->> 'to')
                 when 'repair' then facts ->> 'mode'
                 when 'deletion' then 'on' end as mode_from_then,
       -- The judge's numbers of both versions that it is about.
       (numbers #>> '{contenders,champion,skill}')::real as from_skill,
       (numbers #>> array['contenders', case
          when kind = 'rollback' or facts ->> 'change' = 'rollback' then 'previous'
          else 'challenger' end, 'skill'])::real as to_skill
  from recfleet.audit;

create or replace view recfleet.tenant_night as
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
       (ledger.numbers #>> '{holdout,customers}')::int as holdout_customers,
       ledger.numbers -> 'contenders' as contenders
  from recfleet.ledger
  left join recfleet.night on night.night_id = ledger.night_id;
