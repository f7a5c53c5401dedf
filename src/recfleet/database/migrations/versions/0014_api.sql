-- Keys ----------------------------------------------------------------------------------------------

-- A key of a tenant's caller. Only a hash of its secret is kept.
create table recfleet.api_key (
  key_id      text primary key check (key_id ~ '^[a-z0-9]{8}$'),
  tenant_id   text not null references recfleet.tenant on delete restrict,
  name        text not null,                    -- what it is for, in words
  scopes      text[] not null check (cardinality(scopes) > 0
                                     and scopes <@ array['read', 'events', 'data', 'control']),
  digest      bytea not null check (octet_length(digest) = 32),  -- SHA-256 of the secret
  created_at  timestamptz not null default now(),
  created_by  text not null,
  expires_at  timestamptz,                      -- null: never
  revoked_at  timestamptz
);
create index on recfleet.api_key (tenant_id);
revoke select on recfleet.api_key from recfleet_reader;
grant select (key_id, tenant_id, name, scopes, created_at, created_by, expires_at, revoked_at)
  on recfleet.api_key to recfleet_reader;

alter table recfleet.audit drop constraint audit_kind_check;
alter table recfleet.audit add constraint audit_kind_check check (kind in
  ('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', 'approved',
   'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', 'analyst', 'key'));

-- Which tenant a session sees -----------------------------------------------------------------------

-- As before; the HTTP service sees nobody's until a key has opened a tenant.
create or replace function recfleet.seen_tenant() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case when starts_with(session_user::text, 'recfleet_analyst_')
              then coalesce((select tenant_id from recfleet.analyst where login = session_user), '')
              when session_user = 'recfleet_api' then coalesce(current_setting('app.tenant', true), '')
              else nullif(current_setting('app.tenant', true), '') end
$$;

-- Whoever reads for a caller starts from the tenant or from its live release, and finds one row.
alter table recfleet.tenant enable row level security;
create policy all_tenants on recfleet.tenant to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.tenant for select to recfleet_reader using (true);
create policy seen_tenant on recfleet.tenant for select to recfleet_live
  using ((select recfleet.seen_tenant()) is null or tenant_id = (select recfleet.seen_tenant()));

-- Under this name the service is told that something of the tenant has changed. Any login may listen,
-- and none learns whose name it is.
alter table recfleet.tenant add column topic uuid not null default gen_random_uuid();

-- Opens the tenant of a key for this transaction, and no other. `trouble` says why not: unknown,
-- revoked, expired, or scope.
create function recfleet.open_key(
  of_key text, with_digest bytea, for_scope text, out of_tenant text, out key_name text, out trouble text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  known recfleet.api_key;
begin
  select * into known from recfleet.api_key where key_id = of_key and digest = with_digest;
  trouble := case
    when known.key_id is null then 'unknown'
    when known.revoked_at is not null then 'revoked'
    when known.expires_at <= now() then 'expired'
    when not for_scope = any (known.scopes) then 'scope'
  end;
  if trouble is null then
    of_tenant := known.tenant_id;
    key_name := known.name;
  end if;
  perform set_config('app.tenant', coalesce(of_tenant, ''), true);
end $$;

-- What is asked -------------------------------------------------------------------------------------

grant select (policy, topic) on recfleet.tenant to recfleet_live;
grant select on recfleet.product, recfleet.interaction to recfleet_live;
grant select (tenant_id, role, version, model_uri, contents) on recfleet.champion to recfleet_live;

-- A customer's live list in one row, by three probes of indexes; a null customer, or one whom the
-- release does not know, gets the popular list, and `source` is null. `kinds` and `sources` are
-- those of the table `recommendation`. To plan a statement takes longer than to run it here, so each is
-- planned once for a session, whatever night it is asked for.
create function recfleet.live_list(
  of_tenant text, of_customer text,
  out tenant_id text, out mode text, out release_id bigint, out night_id bigint,
  out model_version integer, out as_of timestamptz, out served_by text, out offers text,
  out source text, out products text[], out scores real[], out kinds text, out sources text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
begin
  select tenant.tenant_id, tenant.mode, release.release_id, release.night_id, release.model_version,
         release.as_of, release.served_by, release.offers
    into tenant_id, mode, release_id, night_id, model_version, as_of, served_by, offers
    from recfleet.tenant
    left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
    left join recfleet.release on release.release_id = live_release.release_id
   where tenant.tenant_id = of_tenant;
  if release_id is null or mode = 'off' then
    return;
  end if;
  if of_customer is not null then
    select recommendation.source, recommendation.products, recommendation.scores,
           recommendation.kinds, recommendation.sources
      into source, products, scores, kinds, sources
      from recfleet.recommendation
     where recommendation.night_id = live_list.night_id
       and recommendation.release_id = live_list.release_id
       and recommendation.customer_id = of_customer;
  end if;
  if source is null then
    select release.popular_products, release.popular_scores into products, scores
      from recfleet.release where release.release_id = live_list.release_id;
  end if;
end $$;

-- Products as callers see them, in no order; those that the catalogue does not have are missing.
-- `is_offered` is false for what was discontinued, or excluded by the tenant's own policy, since the
-- lists were made.
create function recfleet.describe_products(
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
         array_agg(coalesce(product.discontinued_at > now(), true)
                   and not coalesce(policy -> 'excluded_products' ? product.product_id, false)
                   and not coalesce(policy -> 'excluded_categories' ? product.category, false))
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

-- The same list for a key, with the names of its products. Null `tenant_id`: there is no such tenant,
-- or it is not the key's.
create function recfleet.serve_list(
  of_key text, with_digest bytea, of_tenant text, of_customer text,
  out trouble text, out tenant_id text, out topic uuid, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out served_by text,
  out offers text, out source text, out products text[], out scores real[], out kinds text,
  out sources text, out described text[], out names text[], out categories text[],
  out is_offered boolean[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is not null then
    return;
  end if;
  select list.tenant_id, list.mode, list.release_id, list.model_version, list.as_of,
         list.served_by, list.offers, list.source, list.products, list.scores, list.kinds, list.sources
    into tenant_id, mode, release_id, model_version, as_of,
         served_by, offers, source, products, scores, kinds, sources
    from recfleet.live_list(of_tenant, of_customer) as list;
  select tenant.topic,
         case when tenant.policy -> 'excluded_customers' ? of_customer then 'excluded' else source end
    into topic, source
    from recfleet.tenant where tenant.tenant_id = of_tenant;
  if cardinality(products) > 0 then
    select found.described, found.names, found.categories, found.is_offered
      into described, names, categories, is_offered
      from recfleet.describe_products(of_tenant, products) as found;
  end if;
end $$;

-- Products whose id or name begins with, or else contains, what is asked for.
create function recfleet.serve_products(
  of_key text, with_digest bytea, of_tenant text, asked text, at_most integer
) returns table (
  trouble text, tenant_id text, product_id text, name text, category text, is_offered boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is null then
    select tenant.tenant_id into tenant_id from recfleet.tenant where tenant.tenant_id = of_tenant;
  end if;
  return next;                                  -- what holds for all, before the products
  if tenant_id is null then
    return;
  end if;
  for product_id, name, category in
    select product.product_id, product.name, product.category
      from recfleet.product
     where product.tenant_id = of_tenant
       and (strpos(lower(product.product_id), lower(asked)) > 0
            or strpos(lower(product.name), lower(asked)) > 0)
     order by least(strpos(lower(product.product_id), lower(asked)) <> 1,
                    coalesce(strpos(lower(product.name), lower(asked)) <> 1, true)),
              product.name, product.product_id
     limit at_most
  loop
    select found.is_offered[1] into is_offered
      from recfleet.describe_products(of_tenant, array[product_id]) as found;
    return next;
  end loop;
end $$;

-- What lists are made of by day: the model of the live release, and what a customer bought. Null
-- `model_uri`: the release is not a model's.
create function recfleet.serve_basket(
  of_key text, with_digest bytea, of_tenant text, of_customer text,
  out trouble text, out tenant_id text, out topic uuid, out mode text, out release_id bigint,
  out model_version integer, out as_of timestamptz, out is_excluded boolean,
  out model_uri text, out contents jsonb,
  out products text[], out quantities double precision[], out amounts double precision[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is not null then
    return;
  end if;
  select tenant.tenant_id, tenant.topic, tenant.mode, release.release_id, release.model_version,
         release.as_of, champion.model_uri, champion.contents,
         coalesce(tenant.policy -> 'excluded_customers' ? of_customer, false)
         or exists (select from recfleet.recommendation
                     where recommendation.night_id = release.night_id
                       and recommendation.release_id = release.release_id
                       and recommendation.customer_id = of_customer
                       and recommendation.source = 'excluded')
    into tenant_id, topic, mode, release_id, model_version, as_of, model_uri, contents, is_excluded
    from recfleet.tenant
    left join recfleet.live_release on live_release.tenant_id = tenant.tenant_id
    left join recfleet.release on release.release_id = live_release.release_id
    left join recfleet.champion on champion.tenant_id = tenant.tenant_id
      and champion.role = 'champion' and champion.version = release.model_version
   where tenant.tenant_id = of_tenant;
  if tenant_id is not null and of_customer is not null then
    select array_agg(interaction.product_id order by occurred_at),
           array_agg(quantity order by occurred_at), array_agg(amount order by occurred_at)
      into products, quantities, amounts
      from recfleet.interaction
     where interaction.tenant_id = of_tenant and interaction.customer_id = of_customer;
  end if;
end $$;

-- Products as callers see them, for a key.
create function recfleet.serve_names(
  of_key text, with_digest bytea, of_tenant text, wanted text[],
  out trouble text, out described text[], out names text[], out categories text[],
  out is_offered boolean[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  select opened.trouble into trouble from recfleet.open_key(of_key, with_digest, 'read') as opened;
  if trouble is null then
    select found.described, found.names, found.categories, found.is_offered
      into described, names, categories, is_offered
      from recfleet.describe_products(of_tenant, wanted) as found;
  end if;
end $$;

-- The tenant's mode; with a new one, the tenant is switched first, in words for the audit. A tenant
-- that was off shows its last lists again, if they are whole, young enough, and no policy has changed
-- since they were made: whoever can make new ones is asked otherwise (`trouble` is stale).
create function recfleet.serve_mode(
  of_key text, with_digest bytea, of_tenant text, new_mode text, why text, revive_days double precision,
  out trouble text, out tenant_id text, out mode text, out former text, out shows text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' as $$
declare
  opened record;
  live record;
begin
  select * into opened from recfleet.open_key(of_key, with_digest, 'control');
  trouble := opened.trouble;
  if trouble is not null or opened.of_tenant is distinct from serve_mode.of_tenant then
    return;
  end if;
  if new_mode is not null then
    perform pg_advisory_xact_lock(hashtextextended('publish ' || opened.of_tenant, 0));
  end if;
  select tenant.tenant_id, tenant.mode, tenant.mode into tenant_id, mode, former
    from recfleet.tenant where tenant.tenant_id = opened.of_tenant;
  if new_mode is null or new_mode = mode then
    return;
  end if;
  if mode = 'off' then
    select release.as_of,
           release.created_at >= now() - revive_days * interval '1 day'
           and not exists (select from recfleet.audit
                            where audit.kind = 'policy'
                              and (audit.tenant_id = opened.of_tenant or audit.tenant_id is null)
                              and audit.happened_at >= release.created_at)
           and release.customers = (select count(*) from recfleet.recommendation
                                     where recommendation.night_id = release.night_id
                                       and recommendation.release_id = release.release_id) as is_good
      into live
      from recfleet.live_release
      join recfleet.release on release.release_id = live_release.release_id
     where live_release.tenant_id = opened.of_tenant;
    if live.is_good is not true then
      trouble := 'stale';
      return;
    end if;
    shows := format('its lists as of %s are shown again',
                    to_char(live.as_of at time zone 'UTC', 'YYYY-MM-DD HH24:MI'));
  end if;
  mode := new_mode;
  update recfleet.tenant set mode = new_mode where tenant.tenant_id = opened.of_tenant;
  insert into recfleet.audit (tenant_id, kind, numbers, facts, actor, reason)
  values (opened.of_tenant, 'mode', '{}',
          jsonb_strip_nulls(jsonb_build_object('from', former, 'to', new_mode, 'shows', shows)),
          format('key %s (%s)', opened.key_name, of_key), why);
end $$;

-- Whether the service can answer at all, and is confined as it must be.
create function recfleet.serve_readiness(out version text, out is_confined boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select (select max(version_num) from recfleet.alembic_version),
         not (select rolsuper or rolbypassrls from pg_roles where rolname = session_user)
         and not pg_has_role(session_user, 'recfleet_owner', 'member')
         and (select bool_and(relrowsecurity) from pg_class
               where oid in ('recfleet.tenant'::regclass, 'recfleet.live_release'::regclass))
$$;

-- What has changed ----------------------------------------------------------------------------------

-- The service forgets what it has kept of a tenant. Each tenant is named once in a transaction,
-- however many rows of it change.
create function recfleet.tell_service() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('recfleet_api', topic::text)
     from recfleet.tenant where tenant_id = coalesce(new.tenant_id, old.tenant_id);
  return null;
end $$;
create function recfleet.tell_service_of_tenant() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('recfleet_api', old.topic::text);
  return null;
end $$;
create function recfleet.tell_service_of_products() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('recfleet_api', topic::text)
     from recfleet.tenant where tenant_id in (select tenant_id from changed);
  return null;
end $$;
create trigger tell_service after insert or update or delete on recfleet.live_release
  for each row execute function recfleet.tell_service();
create trigger tell_service after update or delete on recfleet.api_key
  for each row execute function recfleet.tell_service();
create trigger tell_service after update of mode, policy on recfleet.tenant
  for each row when (old.mode <> new.mode or old.policy <> new.policy)
  execute function recfleet.tell_service_of_tenant();
create trigger tell_service_of_deletion after delete on recfleet.tenant
  for each row execute function recfleet.tell_service_of_tenant();
create trigger tell_service_of_new after insert on recfleet.product
  referencing new table as changed
  for each statement execute function recfleet.tell_service_of_products();
create trigger tell_service_of_changed after update on recfleet.product
  referencing new table as changed
  for each statement execute function recfleet.tell_service_of_products();
create trigger tell_service_of_gone after delete on recfleet.product
  referencing old table as changed
  for each statement execute function recfleet.tell_service_of_products();

-- Who may -------------------------------------------------------------------------------------------

grant usage on schema recfleet to recfleet_api;
grant create on schema recfleet to recfleet_live;
alter function recfleet.live_list(text, text) owner to recfleet_live;
alter function recfleet.describe_products(text, text[]) owner to recfleet_live;
alter function recfleet.serve_list(text, bytea, text, text) owner to recfleet_live;
alter function recfleet.serve_products(text, bytea, text, text, integer) owner to recfleet_live;
alter function recfleet.serve_basket(text, bytea, text, text) owner to recfleet_live;
alter function recfleet.serve_names(text, bytea, text, text[]) owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;

revoke execute on function
  recfleet.open_key(text, bytea, text), recfleet.live_list(text, text),
  recfleet.describe_products(text, text[]), recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_products(text, bytea, text, text, integer),
  recfleet.serve_basket(text, bytea, text, text), recfleet.serve_names(text, bytea, text, text[]),
  recfleet.serve_mode(text, bytea, text, text, text, double precision), recfleet.serve_readiness(),
  recfleet.tell_service(), recfleet.tell_service_of_tenant(), recfleet.tell_service_of_products()
  from public;
grant execute on function recfleet.open_key(text, bytea, text) to recfleet_live;
grant execute on function recfleet.live_list(text, text)
  to recfleet_application, recfleet_analyst, recfleet_reader, recfleet_writer;
grant execute on function
  recfleet.serve_list(text, bytea, text, text),
  recfleet.serve_products(text, bytea, text, text, integer),
  recfleet.serve_basket(text, bytea, text, text), recfleet.serve_names(text, bytea, text, text[]),
  recfleet.serve_mode(text, bytea, text, text, text, double precision), recfleet.serve_readiness()
  to recfleet_api;
