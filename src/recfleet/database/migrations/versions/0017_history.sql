-- What reasons are made of, for a key: the live release and its model, the customer's purchases up to
-- the release's as-of with the products' names, and how many customers bought the products in `counted`,
-- or began to in the time `lately` before the as-of. `with_all` asks for the number of all who bought
-- anything; both counts read the tenant's purchases. Null `tenant_id`: there is no such tenant, or it is
-- not the key's. Null `release_id`: another release is live than `of_release`.
create function recfleet.serve_history(
  of_key text, with_digest bytea, of_tenant text, of_customer text, of_release bigint,
  counted text[], with_all boolean, lately interval,
  out trouble text, out tenant_id text, out topic uuid, out release_id bigint,
  out model_version integer, out as_of timestamptz, out model_uri text, out contents jsonb,
  out products text[], out names text[], out times timestamptz[],
  out quantities double precision[], out amounts double precision[],
  out sold text[], out buyers bigint[], out began bigint[], out all_buyers bigint
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic, release.release_id, release.model_version, release.as_of,
         champion.model_uri, champion.contents
    into tenant_id, topic, release_id, model_version, as_of, model_uri, contents
    from recfleet.tenant
    left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
      and live_release.release_id = of_release and tenant.mode <> 'off'
    left join recfleet.release on release.release_id = live_release.release_id
    left join recfleet.champion on champion.tenant_id = tenant.tenant_id
      and champion.role = 'champion' and champion.version = release.model_version
   where tenant.tenant_id = of_tenant;
  if release_id is null then
    return;
  end if;
  select array_agg(bought.product_id order by bought.occurred_at),
         array_agg(product.name order by bought.occurred_at),
         array_agg(bought.occurred_at order by bought.occurred_at),
         array_agg(bought.quantity order by bought.occurred_at),
         array_agg(bought.amount order by bought.occurred_at)
    into products, names, times, quantities, amounts
    from recfleet.interaction as bought
    left join recfleet.product on product.tenant_id = bought.tenant_id
      and product.product_id = bought.product_id
   where bought.tenant_id = of_tenant and bought.customer_id = of_customer
     and bought.occurred_at <= serve_history.as_of;
  if cardinality(counted) > 0 then
    select array_agg(one.product_id), array_agg(one.buyers), array_agg(one.began)
      into sold, buyers, began
      from (select buyer.product_id, count(buyer.since) as buyers,
                   count(*) filter (where buyer.since > serve_history.as_of - lately) as began
              from (select line.product_id, line.customer_id,
                           min(line.occurred_at) filter (where line.quantity > 0 and line.amount > 0)
                             as since
                      from recfleet.interaction as line
                     where line.tenant_id = of_tenant and line.product_id = any (counted)
                       and line.occurred_at <= serve_history.as_of
                     group by line.product_id, line.customer_id) as buyer
             group by buyer.product_id) as one;
  end if;
  if with_all then
    select count(distinct line.customer_id) into all_buyers
      from recfleet.interaction as line
     where line.tenant_id = of_tenant and line.quantity > 0 and line.amount > 0
       and line.occurred_at <= serve_history.as_of;
  end if;
end $$;

grant create on schema recfleet to recfleet_live;
alter function
  recfleet.serve_history(text, bytea, text, text, bigint, text[], boolean, interval)
  owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function
  recfleet.serve_history(text, bytea, text, text, bigint, text[], boolean, interval) from public;
grant execute on function
  recfleet.serve_history(text, bytea, text, text, bigint, text[], boolean, interval) to recfleet_api;
