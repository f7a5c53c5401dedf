-- What a caller says of customers and products, each id once. A line has `id` and columns of the table;
-- what it does not have stays as it is, and null is forgotten. `changed` has the ids that are new or not
-- as they were. All rows are added or locked in the order of their ids, as a file's load does it; so none
-- waits for another that waits for it.
create function recfleet.serve_sent_customers(
  of_key text, with_digest bytea, of_tenant text, lines jsonb,
  out trouble text, out tenant_id text, out topic text, out changed text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' as $$
declare
  opened record;
  again text[];
begin
  select * into opened from recfleet.open_key(of_key, with_digest, 'data');
  trouble := opened.trouble;
  if trouble is not null or opened.of_tenant is distinct from serve_sent_customers.of_tenant then
    return;
  end if;
  -- The tenant is not deleted meanwhile.
  select tenant.tenant_id, tenant.topic into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = opened.of_tenant for key share;
  if tenant_id is null then
    return;
  end if;
  with added as (
    insert into recfleet.customer as old (tenant_id, customer_id)
    select opened.of_tenant, line ->> 'id' from jsonb_array_elements(lines) as line order by 2
    on conflict on constraint customer_pkey do update set name = old.name where false
    returning old.customer_id
  )
  select coalesce(array_agg(added.customer_id), '{}') into changed from added;
  with written as (
    update recfleet.customer as old
       set name = new.name, region = new.region, segment = new.segment, attributes = new.attributes
      from recfleet.customer as kept
      join jsonb_array_elements(lines) as line on kept.customer_id = line ->> 'id'
     cross join lateral jsonb_populate_record(kept, line) as new
     where kept.tenant_id = opened.of_tenant
       and old.tenant_id = kept.tenant_id and old.customer_id = kept.customer_id
       and (kept.name, kept.region, kept.segment, kept.attributes) is distinct from
           (new.name, new.region, new.segment, new.attributes)
    returning old.customer_id
  )
  select coalesce(array_agg(written.customer_id), '{}') into again from written;
  changed := changed || again;
end $$;
create function recfleet.serve_sent_products(
  of_key text, with_digest bytea, of_tenant text, lines jsonb,
  out trouble text, out tenant_id text, out topic text, out changed text[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' as $$
declare
  opened record;
  again text[];
begin
  select * into opened from recfleet.open_key(of_key, with_digest, 'data');
  trouble := opened.trouble;
  if trouble is not null or opened.of_tenant is distinct from serve_sent_products.of_tenant then
    return;
  end if;
  -- The tenant is not deleted meanwhile.
  select tenant.tenant_id, tenant.topic into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = opened.of_tenant for key share;
  if tenant_id is null then
    return;
  end if;
  with added as (
    insert into recfleet.product as old (tenant_id, product_id)
    select opened.of_tenant, line ->> 'id' from jsonb_array_elements(lines) as line order by 2
    on conflict on constraint product_pkey do update set name = old.name where false
    returning old.product_id
  )
  select coalesce(array_agg(added.product_id), '{}') into changed from added;
  with written as (
    update recfleet.product as old
       set name = new.name, category = new.category, price = new.price, regions = new.regions, introduced_at = new.introduced_at, discontinued_at = new.discontinued_at
      from recfleet.product as kept
      join jsonb_array_elements(lines) as line on kept.product_id = line ->> 'id'
     cross join lateral jsonb_populate_record(kept, line) as new
     where kept.tenant_id = opened.of_tenant
       and old.tenant_id = kept.tenant_id and old.product_id = kept.product_id
       and (kept.name, kept.category, kept.price, kept.regions, kept.introduced_at, kept.discontinued_at) is distinct from
           (new.name, new.category, new.price, new.regions, new.introduced_at, new.discontinued_at)
    returning old.product_id
  )
  select coalesce(array_agg(written.product_id), '{}') into again from written;
  changed := changed || again;
end $$;
revoke execute on function recfleet.serve_sent_customers(text, bytea, text, jsonb),
  recfleet.serve_sent_products(text, bytea, text, jsonb) from public;
grant execute on function recfleet.serve_sent_customers(text, bytea, text, jsonb),
  recfleet.serve_sent_products(text, bytea, text, jsonb) to recfleet_api;
