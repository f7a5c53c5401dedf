-- Experiments: comparisons of two or more ways of serving ------------------------------------------

create table recfleet.experiment (
  experiment_id  bigint generated always as identity primary key,
  tenant_id      text not null references recfleet.tenant on delete restrict,
  kind           text not null check (kind in ('comparison', 'rollout', 'canary', 'bandit')),
  kpi            text not null check (kpi in ('accepts', 'purchases', 'revenue')),
  arms           jsonb not null,                -- the first is what the others are compared with
  lot_from       integer not null,              -- the customers: a range of the tenant's lot
  lot_to         integer not null,
  salt           text not null,                 -- says which customer is in which arm
  window_days    integer not null,              -- from a customer's first exposure
  alpha          double precision not null,
  planned        integer not null,              -- customers for whom the test is tuned
  rest_days      integer not null,
  state          text not null default 'running' check (state in ('running', 'stopped', 'decided')),
  started_at     timestamptz not null default now(),
  started_by     text not null,
  reason         text not null,
  ended_at       timestamptz,
  ended_by       text,
  end_reason     text,
  winner         text,
  rests_until    timestamptz,                   -- its customers are in no other experiment before
  check (0 <= lot_from and lot_from < lot_to and lot_to <= 10000),
  check ((state = 'running') = (ended_at is null))
);
create index on recfleet.experiment (tenant_id);
create index on recfleet.experiment (experiment_id) where state = 'running';

-- A stretch of an experiment with the same shares; its customers are counted from its beginning.
create table recfleet.experiment_phase (
  experiment_id  bigint not null references recfleet.experiment on delete cascade,
  phase          integer not null,
  shares         jsonb not null,                -- arm -> its part of the experiment's customers
  begins_at      timestamptz,                   -- as-of of the first night that served it
  ends_at        timestamptz,
  primary key (experiment_id, phase)
);

-- What a night found when it looked at a phase.
create table recfleet.experiment_look (
  experiment_id  bigint not null,
  phase          integer not null,
  as_of          timestamptz not null,
  numbers        jsonb not null,
  primary key (experiment_id, phase, as_of),
  foreign key (experiment_id, phase) references recfleet.experiment_phase on delete cascade
);

-- A night in which an arm could not be made, so that all of the experiment's customers got what
-- everybody gets.
create table recfleet.experiment_pause (
  experiment_id  bigint not null references recfleet.experiment on delete cascade,
  night_id       bigint not null,
  as_of          timestamptz not null,
  arm            text not null,
  reason         text not null,
  primary key (experiment_id, night_id)
);

alter table recfleet.audit drop constraint audit_kind_check;
alter table recfleet.audit add constraint audit_kind_check check (kind in
  ('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', 'approved',
   'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', 'analyst', 'key',
   'load undone', 'feed', 'experiment'));

-- The arm of each list ------------------------------------------------------------------------------

-- Null: the customer is in no experiment. Of the arm 'nothing', the source is 'excluded'.
alter table recfleet.recommendation add column arm text;

create or replace view recfleet.live_recommendation with (security_barrier = true) as
select live_release.tenant_id,
       recommendation.customer_id,
       item.rank::integer as rank,
       item.product_id,
       item.score,
       case when recommendation.arm like 'version:%' then substr(recommendation.arm, 9)::integer
            when recommendation.arm in ('popular', 'no-model') then null
            else release.model_version end as model_version,
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
       end as rank_in_kind,                       -- null, like kind: the list was made before kinds
       recommendation.arm
  from recfleet.live_release
  join recfleet.tenant using (tenant_id)
  -- On the night as well, so that in whatever order they are joined one partition is read.
  join recfleet.release using (release_id, night_id)
  join recfleet.recommendation using (release_id, night_id)
 cross join lateral unnest(recommendation.products, recommendation.scores)
       with ordinality as item (product_id, score, rank)
 where tenant.mode <> 'off';
grant create on schema recfleet to recfleet_live;
alter view recfleet.live_recommendation owner to recfleet_live;
grant select on recfleet.live_recommendation to recfleet_application, recfleet_analyst;

-- The live list for a key, as before, with the arm, and with the model version behind this list.
drop function recfleet.serve_list(text, bytea, text, text);
create function recfleet.serve_list(
  of_key text, with_digest bytea, of_tenant text, of_customer text,
  out trouble text, out tenant_id text, out topic text, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out served_by text,
  out offers text, out source text, out products text[], out scores real[], out kinds text,
  out sources text, out arm text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
  of_night bigint;
  is_excluded boolean;
begin
  trouble := (recfleet.open_key(of_key, with_digest, 'read')).trouble;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic, tenant.mode, release.release_id, release.night_id,
         release.model_version, release.as_of, release.served_by, release.offers,
         coalesce(tenant.policy -> 'excluded_customers' ? of_customer, false)
    into tenant_id, topic, mode, release_id, of_night, model_version, as_of, served_by, offers,
         is_excluded
    from recfleet.tenant
    left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
    left join recfleet.release on release.release_id = live_release.release_id
   where tenant.tenant_id = of_tenant;
  if release_id is null or mode = 'off' then
    return;
  end if;
  if is_excluded then
    source := 'excluded';
    return;
  end if;
  if of_customer is not null then
    select recommendation.source, recommendation.products, recommendation.scores,
           recommendation.kinds, recommendation.sources, recommendation.arm
      into source, products, scores, kinds, sources, arm
      from recfleet.recommendation
     where recommendation.night_id = of_night
       and recommendation.release_id = serve_list.release_id
       and recommendation.customer_id = of_customer;
  end if;
  if source is null then
    select release.popular_products, release.popular_scores into products, scores
      from recfleet.release where release.release_id = serve_list.release_id;
  elsif arm is null then
    null;
  elsif arm like 'version:%' then
    model_version := substr(arm, 9)::integer;
    served_by := 'model';
  elsif arm in ('popular', 'no-model', 'nothing') then
    model_version := null;
    served_by := case arm when 'no-model' then 'personal' else 'popularity' end;
  end if;
end $$;
-- Pages of a campaign, as before, with the arm; whom an arm shows nothing is among the customers.
drop function recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer);
create function recfleet.serve_campaign(
  of_key text, with_digest bytea, of_tenant text, of_release bigint, wanted text[], in_segment text,
  last text, at_most integer
) returns table (
  trouble text, tenant_id text, topic text, mode text, release_id bigint, model_version integer,
  as_of timestamptz, offers text, popular_products text[], popular_scores real[],
  customer_id text, source text, products text[], scores real[], kinds text, sources text, arm text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
  of_night bigint;
  excluded jsonb;
begin
  trouble := (recfleet.open_key(of_key, with_digest, 'read')).trouble;
  if trouble is null then
    select tenant.tenant_id, tenant.topic, tenant.mode, release.release_id, release.night_id,
           release.model_version, release.as_of, release.offers, release.popular_products,
           release.popular_scores, coalesce(tenant.policy -> 'excluded_customers', '[]')
      into tenant_id, topic, mode, release_id, of_night, model_version, as_of, offers,
           popular_products, popular_scores, excluded
      from recfleet.tenant
      left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
      left join recfleet.release on release.tenant_id = tenant.tenant_id
        and release.release_id = coalesce(of_release, live_release.release_id)
     where tenant.tenant_id = of_tenant;
  end if;
  return next;
  if release_id is null or mode = 'off' then
    return;
  end if;
  popular_products := null;                     -- said once
  popular_scores := null;
  if wanted is not null then
    for customer_id, source, products, scores, kinds, sources, arm in
      select asked.customer_id, list.source, list.products, list.scores, list.kinds, list.sources,
             list.arm
        from unnest(wanted) with ordinality as asked (customer_id, place)
        left join recfleet.recommendation as list on list.night_id = of_night
          and list.release_id = serve_campaign.release_id and list.customer_id = asked.customer_id
       where (list.source is distinct from 'excluded' or list.arm is not null)
         and not excluded ? asked.customer_id
       order by asked.place
    loop
      return next;
    end loop;
  elsif in_segment is not null then
    for customer_id, source, products, scores, kinds, sources, arm in
      select customer.customer_id, list.source, list.products, list.scores, list.kinds, list.sources,
             list.arm
        from recfleet.customer
        left join recfleet.recommendation as list on list.night_id = of_night
          and list.release_id = serve_campaign.release_id
          and list.customer_id = customer.customer_id
       where customer.tenant_id = of_tenant and customer.segment = in_segment
         and customer.customer_id > coalesce(last, '')
         and (list.source is distinct from 'excluded' or list.arm is not null)
         and not excluded ? customer.customer_id
       order by customer.customer_id limit at_most
    loop
      return next;
    end loop;
  else
    for customer_id, source, products, scores, kinds, sources, arm in
      select list.customer_id, list.source, list.products, list.scores, list.kinds, list.sources,
             list.arm
        from recfleet.recommendation as list
       where list.night_id = of_night and list.release_id = serve_campaign.release_id
         and list.customer_id > coalesce(last, '')
         and (list.source <> 'excluded' or list.arm is not null) and not excluded ? list.customer_id
       order by list.customer_id limit at_most
    loop
      return next;
    end loop;
  end if;
  -- Lists of a release that is no longer live may go; a part of them is no campaign.
  if not exists (select from recfleet.recommendation as list
                  where list.night_id = of_night and list.release_id = serve_campaign.release_id)
     and exists (select from recfleet.release
                  where release.release_id = serve_campaign.release_id and release.customers > 0) then
    raise exception 'the lists of the campaign are gone' using errcode = 'lock_not_available';
  end if;
end $$;

alter function recfleet.serve_list(text, bytea, text, text) owner to recfleet_live;
alter function recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer)
  owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer) from public;
grant execute on function recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer) to recfleet_api;
