-- How good a tenant's lists are as served, and by how much better than popular products.
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
       ledger.numbers -> 'contenders' as contenders,
       lists.ndcg as ndcg_lists,
       lists.ndcg / nullif((ledger.numbers #>> '{contenders,popularity,ndcg_at_10}')::float, 0) - 1
         as list_gain
  from recfleet.ledger
  left join recfleet.night on night.night_id = ledger.night_id
 cross join lateral (
   -- Of the lists that are served from the night on: the challenger's, the champion's, or those
   -- without a model. The lists of a model that was put in force again are not judged.
   select case when ledger.outcome in ('first model', 'promoted')
               then (ledger.numbers #>> '{lists,challenger}')::float
               when ledger.outcome in ('failed', 'quarantined', 'rolled back') then null
               else coalesce((ledger.numbers #>> '{lists,champion}')::float,
                             (ledger.numbers #>> '{lists,without}')::float) end as ndcg
 ) as lists;
