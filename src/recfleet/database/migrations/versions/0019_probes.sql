-- Which tenant a session sees, as before. A function in SQL starts an executor each time.
create or replace function recfleet.seen_tenant() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if session_user = 'recfleet_api' then
    return coalesce(current_setting('app.tenant', true), '');
  elsif starts_with(session_user::text, 'recfleet_analyst_') then
    return coalesce((select tenant_id from recfleet.analyst where login = session_user), '');
  end if;
  return nullif(current_setting('app.tenant', true), '');
end $$;
alter policy seen_tenant on recfleet.live_release
  using (tenant_id = coalesce((select recfleet.seen_tenant()), tenant_id));
alter policy seen_tenant on recfleet.tenant
  using (tenant_id = coalesce((select recfleet.seen_tenant()), tenant_id));

-- The live list for a key, in two probes. Null `tenant_id`: there is no such tenant, or it is not the
-- key's. A customer whom the release does not know gets the popular list, and `source` is null. What
-- the products are called, `serve_names` says: the service keeps that for all lists of a tenant.
drop function recfleet.serve_list(text, bytea, text, text);
create function recfleet.serve_list(
  of_key text, with_digest bytea, of_tenant text, of_customer text,
  out trouble text, out tenant_id text, out topic text, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out served_by text,
  out offers text, out source text, out products text[], out scores real[], out kinds text,
  out sources text
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
           recommendation.kinds, recommendation.sources
      into source, products, scores, kinds, sources
      from recfleet.recommendation
     where recommendation.night_id = of_night
       and recommendation.release_id = serve_list.release_id
       and recommendation.customer_id = of_customer;
  end if;
  if source is null then
    select release.popular_products, release.popular_scores into products, scores
      from recfleet.release where release.release_id = serve_list.release_id;
  end if;
end $$;

-- What lists are made of by day, as before; a customer is looked up only if one is named.
drop function recfleet.serve_basket(text, bytea, text, text);
create function recfleet.serve_basket(
  of_key text, with_digest bytea, of_tenant text, of_customer text,
  out trouble text, out tenant_id text, out topic text, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out is_excluded boolean,
  out model_uri text, out contents jsonb,
  out products text[], out quantities double precision[], out amounts double precision[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
  of_night bigint;
begin
  trouble := (recfleet.open_key(of_key, with_digest, 'read')).trouble;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic, tenant.mode, release.release_id, release.night_id,
         release.model_version, release.as_of, champion.model_uri, champion.contents,
         coalesce(tenant.policy -> 'excluded_customers' ? of_customer, false)
    into tenant_id, topic, mode, release_id, of_night, model_version, as_of, model_uri, contents,
         is_excluded
    from recfleet.tenant
    left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
    left join recfleet.release on release.release_id = live_release.release_id
    left join recfleet.champion on champion.tenant_id = tenant.tenant_id
      and champion.role = 'champion' and champion.version = release.model_version
   where tenant.tenant_id = of_tenant;
  if tenant_id is null or of_customer is null then
    return;
  end if;
  is_excluded := is_excluded or exists (
    select from recfleet.recommendation
     where recommendation.night_id = of_night
       and recommendation.release_id = serve_basket.release_id
       and recommendation.customer_id = of_customer
       and recommendation.source = 'excluded');
  select array_agg(interaction.product_id order by occurred_at),
         array_agg(quantity order by occurred_at), array_agg(amount order by occurred_at)
    into products, quantities, amounts
    from recfleet.interaction
   where interaction.tenant_id = of_tenant and interaction.customer_id = of_customer;
end $$;

-- A customer's purchases are read by day; without it, all of the tenant's were.
create index interaction_of_customer on recfleet.interaction (tenant_id, customer_id);

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_list(text, bytea, text, text) owner to recfleet_live;
alter function recfleet.serve_basket(text, bytea, text, text) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_basket(text, bytea, text, text) from public;
grant execute on function recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_basket(text, bytea, text, text) to recfleet_api;
