-- Products as callers see them, as before. `is_offered` is null for a product that is sold in some
-- regions only: a night's lists have it where it may be, and what is made by day has not.
create or replace function recfleet.describe_products(
  of_tenant text, wanted text[],
  out described text[], out names text[], out categories text[], out is_offered boolean[]
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
  policy jsonb;
  without text[];
begin
  select tenant.policy into policy from recfleet.tenant where tenant.tenant_id = of_tenant;
  if not found then
    return;
  end if;
  select array_agg(product.product_id), array_agg(product.name), array_agg(product.category),
         array_agg(case
           when not (coalesce(product.discontinued_at > now(), true)
                     and coalesce(product.introduced_at <= now(), true)
                     and not coalesce(policy -> 'excluded_products' ? product.product_id, false)
                     and not coalesce(policy -> 'excluded_categories' ? product.category, false))
             then false
           when product.regions is null or policy ->> 'unknown_region' = 'all' then true
         end)
    into described, names, categories, is_offered
    from recfleet.product
   where product.tenant_id = of_tenant and product.product_id = any (wanted);
  -- Products without a row of the catalogue can be excluded, too.
  select array_agg(excluded.product_id) into without
    from jsonb_array_elements_text(policy -> 'excluded_products') as excluded (product_id)
   where excluded.product_id = any (wanted) and excluded.product_id <> all (coalesce(described, '{}'));
  described := described || without;
  is_offered := is_offered || array_fill(false, array[coalesce(cardinality(without), 0)]);
  names := names || array_fill(null::text, array[coalesce(cardinality(without), 0)]);
  categories := categories || array_fill(null::text, array[coalesce(cardinality(without), 0)]);
end $$;
