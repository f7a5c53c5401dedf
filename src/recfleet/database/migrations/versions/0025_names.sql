-- Customers of the live lists whose ids begin with what is asked for, or whose names contain it; upper
-- and lower case are alike.
create policy seen_tenant on recfleet.customer for select to recfleet_live
  using (tenant_id = (select recfleet.seen_tenant()));
grant select (tenant_id, customer_id, name) on recfleet.customer to recfleet_live;

drop function recfleet.serve_customers(text, bytea, text, text, integer);
create function recfleet.serve_customers(
  of_key text, with_digest bytea, of_tenant text, asked text, at_most integer,
  out trouble text, out tenant_id text, out topic uuid, out customers text[], out names text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = of_tenant;
  select array_agg(found.customer_id order by found.customer_id),
         array_agg(found.name order by found.customer_id)
    into customers, names
    from (select recommendation.customer_id, customer.name
            from recfleet.live_release
            join recfleet.tenant on tenant.tenant_id = live_release.tenant_id
              and tenant.mode <> 'off'
            join recfleet.recommendation
              on recommendation.night_id = live_release.night_id
             and recommendation.release_id = live_release.release_id
            left join recfleet.customer on customer.tenant_id = live_release.tenant_id
              and customer.customer_id = recommendation.customer_id
           where live_release.tenant_id = of_tenant and recommendation.source <> 'excluded'
             and (starts_with(lower(recommendation.customer_id), lower(asked))
                  or strpos(lower(customer.name), lower(asked)) > 0)
           order by recommendation.customer_id
           limit at_most) as found;
end $$;

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_customers(text, bytea, text, text, integer) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function recfleet.serve_customers(text, bytea, text, text, integer) from public;
grant execute on function recfleet.serve_customers(text, bytea, text, text, integer) to recfleet_api;
