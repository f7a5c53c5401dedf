-- A page of a campaign: first a row of what all lists share, then a row for each customer, without those
-- whom the policy excludes. All pages are of one release: of the live one, if `of_release` is null, or of
-- the one that the first page has named. Customers are those that are `wanted`, in their order, or those
-- of a segment, or all whom the release knows; the latter two come by their ids, after one of them.
grant select (segment) on recfleet.customer to recfleet_live;
create function recfleet.serve_campaign(
  of_key text, with_digest bytea, of_tenant text, of_release bigint, wanted text[], in_segment text,
  last text, at_most integer
) returns table (
  trouble text, tenant_id text, topic text, mode text, release_id bigint, model_version integer,
  as_of timestamptz, offers text, popular_products text[], popular_scores real[],
  customer_id text, source text, products text[], scores real[], kinds text, sources text
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
    for customer_id, source, products, scores, kinds, sources in
      select asked.customer_id, list.source, list.products, list.scores, list.kinds, list.sources
        from unnest(wanted) with ordinality as asked (customer_id, place)
        left join recfleet.recommendation as list on list.night_id = of_night
          and list.release_id = serve_campaign.release_id and list.customer_id = asked.customer_id
       where list.source is distinct from 'excluded' and not excluded ? asked.customer_id
       order by asked.place
    loop
      return next;
    end loop;
  elsif in_segment is not null then
    for customer_id, source, products, scores, kinds, sources in
      select customer.customer_id, list.source, list.products, list.scores, list.kinds, list.sources
        from recfleet.customer
        left join recfleet.recommendation as list on list.night_id = of_night
          and list.release_id = serve_campaign.release_id
          and list.customer_id = customer.customer_id
       where customer.tenant_id = of_tenant and customer.segment = in_segment
         and customer.customer_id > coalesce(last, '')
         and list.source is distinct from 'excluded' and not excluded ? customer.customer_id
       order by customer.customer_id limit at_most
    loop
      return next;
    end loop;
  else
    for customer_id, source, products, scores, kinds, sources in
      select list.customer_id, list.source, list.products, list.scores, list.kinds, list.sources
        from recfleet.recommendation as list
       where list.night_id = of_night and list.release_id = serve_campaign.release_id
         and list.customer_id > coalesce(last, '')
         and list.source <> 'excluded' and not excluded ? list.customer_id
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

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer)
  owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function
  recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer) from public;
grant execute on function
  recfleet.serve_campaign(text, bytea, text, bigint, text[], text, text, integer) to recfleet_api;
