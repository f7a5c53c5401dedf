-- The lists of all pairs of a release's most popular products, in one row. A pair's forty bytes are
-- ten numbers of `products` (65535: none) and ten scores of half precision.
create table recfleet.pair_lists (
  release_id  bigint primary key references recfleet.release on delete cascade,
  tenant_id   text not null,
  seeds       text[] not null,                  -- the n products that are paired
  products    text[] not null,                  -- the products in the lists, from 0
  lists       bytea not null                    -- of (0, 1), (0, 2), …, (1, 2), …
    check (octet_length(lists) = 20 * cardinality(seeds) * (cardinality(seeds) - 1))
);
-- One pair is read without the others.
alter table recfleet.pair_lists alter column lists set storage external;
create index on recfleet.pair_lists (tenant_id);

alter table recfleet.pair_lists enable row level security;
create policy all_tenants on recfleet.pair_lists to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.pair_lists for select to recfleet_reader using (true);
create policy seen_tenant on recfleet.pair_lists for select to recfleet_live
  using (tenant_id = coalesce((select recfleet.seen_tenant()), tenant_id));
grant select on recfleet.pair_lists to recfleet_live;

-- What `serve_basket` says without a customer, and the list of two products, if it was made: its
-- products' ids (null: none) and the scores' bytes.
create function recfleet.serve_pair(
  of_key text, with_digest bytea, of_tenant text, one text, other text,
  out trouble text, out tenant_id text, out topic text, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out is_excluded boolean,
  out model_uri text, out contents jsonb,
  out products text[], out quantities double precision[], out amounts double precision[],
  out pair_products text[], out pair_scores bytea
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
declare
  known text[];
  first integer;
  second integer;
  part bytea;
  called text[];                                -- the products of the lists
begin
  select basket.trouble, basket.tenant_id, basket.topic, basket.mode, basket.release_id,
         basket.model_version, basket.as_of, basket.is_excluded, basket.model_uri, basket.contents
    into trouble, tenant_id, topic, mode, release_id, model_version, as_of, is_excluded, model_uri,
         contents
    from recfleet.serve_basket(of_key, with_digest, of_tenant, null) as basket;
  if release_id is null or mode = 'off' or one = other then
    return;
  end if;
  select pair_lists.seeds into known
    from recfleet.pair_lists where pair_lists.release_id = serve_pair.release_id;
  first := least(array_position(known, one), array_position(known, other)) - 1;
  second := greatest(array_position(known, one), array_position(known, other)) - 1;
  if array_position(known, one) is null or array_position(known, other) is null then
    return;
  end if;
  select substring(pair_lists.lists
                   from 40 * (first * (2 * cardinality(known) - first - 1) / 2 + second - first - 1) + 1
                   for 40),
         pair_lists.products
    into part, called
    from recfleet.pair_lists where pair_lists.release_id = serve_pair.release_id;
  select array_agg(called[1 + 256 * get_byte(part, 2 * place) + get_byte(part, 2 * place + 1)]
                   order by place)
    into pair_products
    from generate_series(0, 9) as place;
  pair_scores := substring(part from 21);
end $$;

grant create on schema recfleet to recfleet_live;
alter function recfleet.serve_pair(text, bytea, text, text, text) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
revoke execute on function recfleet.serve_pair(text, bytea, text, text, text) from public;
grant execute on function recfleet.serve_pair(text, bytea, text, text, text) to recfleet_api;
