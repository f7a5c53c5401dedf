-- Every place of a list has a kind and a source. Both are kept as a digit a place: a list of forty
-- grows by eighty bytes at most, and by none when all its places are alike.

-- The kinds that the lists offer. Lists made before have new products only, where they could not repeat
-- purchases; null: nobody knows which of their products were new.
alter table recfleet.release add column offers text check (offers in ('new', 'again', 'both'));
update recfleet.release
   set offers = 'new'
  from recfleet.ledger
 where ledger.night_id = release.night_id
   and ledger.tenant_id = release.tenant_id
   and coalesce(ledger.policy #>> '{recipe,repeat_purchases}', 'false') = 'false';

alter table recfleet.recommendation
  add column kinds text,                        -- 0: new, 1: again; null: as the release offers
  add column sources text;                      -- 0: popular, 1: taste, 2: habit, 3: trend; null: source
-- Old lists call taste the model. The constraint is not checked for them: they met a stricter one.
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
alter table recfleet.recommendation
  add constraint recommendation_source_check
    check (source in ('popular', 'taste', 'habit', 'trend', 'model', 'excluded')) not valid,
  add constraint recommendation_kinds_check
    check (length(kinds) = cardinality(products)) not valid,
  add constraint recommendation_sources_check
    check (length(sources) = cardinality(products)) not valid;

drop view recfleet.live_recommendation;
create view recfleet.live_recommendation as
select release.tenant_id,
       recommendation.customer_id,
       item.rank::integer as rank,
       item.product_id,
       item.score,
       release.model_version,
       release.release_id,
       release.as_of,
       case coalesce(substr(recommendation.sources, item.rank::integer, 1), recommendation.source)
         when '0' then 'popular' when '1' then 'taste' when '2' then 'habit' when '3' then 'trend'
         when 'model' then 'taste' else recommendation.source
       end as source,
       case coalesce(substr(recommendation.kinds, item.rank::integer, 1), release.offers)
         when '0' then 'new' when '1' then 'again' when 'new' then 'new' when 'again' then 'again'
       end as kind,
       case
         when recommendation.kinds is not null then
           item.rank::integer - length(replace(left(recommendation.kinds, item.rank::integer),
                                               substr(recommendation.kinds, item.rank::integer, 1), ''))
         when release.offers in ('new', 'again') then item.rank::integer
       end as rank_in_kind                        -- null, like kind: the list was made before kinds
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  -- On the night as well, so that in whatever order they are joined one partition is read.
  join recfleet.release using (release_id, night_id)
  join recfleet.recommendation using (release_id, night_id)
 cross join lateral unnest(recommendation.products, recommendation.scores)
       with ordinality as item (product_id, score, rank)
 where tenant.mode <> 'off';

-- Whom the live release does not know has bought nothing: all products are new to them.
drop view recfleet.live_popular;
create view recfleet.live_popular as
select release.tenant_id,
       item.rank::integer as rank,
       item.product_id,
       item.score,
       release.release_id,
       release.as_of,
       'popular' as source,
       'new' as kind,
       item.rank::integer as rank_in_kind
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  join recfleet.release using (release_id, night_id)
 cross join lateral unnest(release.popular_products, release.popular_scores)
       with ordinality as item (product_id, score, rank)
 where tenant.mode <> 'off';

-- A release beside its night, with the result of its checks.
create or replace view recfleet.release_overview as
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
       coalesce(night.backfill, night.run_id) as airflow_run,
       release.offers
  from recfleet.release
  left join recfleet.night on night.night_id = release.night_id;

-- A tenant's live release. Customers of a tenant that is off are served nothing.
create or replace view recfleet.live as
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
       coalesce(night.backfill, night.run_id) as airflow_run,
       release.offers
  from recfleet.live_release
  left join recfleet.release on release.release_id = live_release.release_id
  left join recfleet.night on night.night_id = live_release.night_id;
