-- Who may do what -----------------------------------------------------------------------------------

grant usage on schema recfleet
  to recfleet_live, recfleet_writer, recfleet_reader, recfleet_application, recfleet_analyst;

grant select, insert, update, delete on all tables in schema recfleet to recfleet_writer;
grant select on all tables in schema recfleet to recfleet_reader;
-- Of tables and views to come as well.
alter default privileges in schema recfleet
  grant select, insert, update, delete on tables to recfleet_writer;
alter default privileges in schema recfleet grant select on tables to recfleet_reader;

-- An entry of the audit is written once. Its triggers fire whatever a session asks for.
revoke update, delete on recfleet.audit from recfleet_writer;
alter table recfleet.audit enable always trigger chain;
alter table recfleet.audit enable always trigger append_only;
revoke insert, update, delete on recfleet.alembic_version from recfleet_writer;

-- Whoever may see a tenant's lists is part of its story.
alter table recfleet.audit drop constraint audit_kind_check;
alter table recfleet.audit add constraint audit_kind_check check (kind in
  ('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', 'approved',
   'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', 'analyst'));

-- Analysts of one tenant ----------------------------------------------------------------------------

-- A login that sees the live lists of one tenant.
create table recfleet.analyst (
  login      name primary key check (starts_with(login::text, 'recfleet_analyst_')),
  tenant_id  text not null references recfleet.tenant on delete restrict,
  name       text not null,
  added_at   timestamptz not null default now(),
  added_by   text not null,
  unique (tenant_id, name)
);
revoke insert, update, delete on recfleet.analyst from recfleet_writer;

-- The tenant whose lists alone this session sees; null: it sees all. An analyst's is fixed by the
-- login, whatever the session sets; of a login that is not in the table it is nobody's.
create function recfleet.seen_tenant() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case when starts_with(session_user::text, 'recfleet_analyst_')
              then coalesce((select tenant_id from recfleet.analyst where login = session_user), '')
              else nullif(current_setting('app.tenant', true), '') end
$$;

-- A login without a password's text: the caller sends what Postgres keeps of it.
create function recfleet.add_analyst(
  new_login name, of_tenant text, new_name text, verifier text, actor text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not starts_with(new_login::text, 'recfleet_analyst_') or verifier !~ '^SCRAM-SHA-256\$' then
    raise exception 'not the login of an analyst: %', new_login;
  end if;
  insert into recfleet.analyst (login, tenant_id, name, added_by)
  values (new_login, of_tenant, new_name, actor);
  execute format('create role %I login connection limit 10 password %L', new_login, verifier);
  execute format('grant recfleet_analyst to %I with admin false, inherit true, set false', new_login);
end $$;

-- Open sessions of the login see nothing more.
create function recfleet.drop_analyst(old_login name) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from recfleet.analyst where login = old_login;
  if not found then
    raise exception 'not the login of an analyst: %', old_login;
  end if;
  execute format('drop role if exists %I', old_login);
end $$;

-- The live views ------------------------------------------------------------------------------------

-- They belong to a role of their own, for whom row security holds on the table that each of them starts
-- from. A reader's conditions are checked after that, unless they cannot tell what they have seen. The
-- tenant is that table's, so that a condition on it finds the one row at once. A migration that makes
-- one of the views anew repeats what is done to it here.
alter table recfleet.live_release enable row level security;
create policy all_tenants on recfleet.live_release to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.live_release for select to recfleet_reader using (true);
create policy seen_tenant on recfleet.live_release for select to recfleet_live
  using ((select recfleet.seen_tenant()) is null or tenant_id = (select recfleet.seen_tenant()));

grant select on recfleet.live_release, recfleet.release, recfleet.recommendation to recfleet_live;
grant select (tenant_id, mode) on recfleet.tenant to recfleet_live;

create or replace view recfleet.live_recommendation with (security_barrier = true) as
select live_release.tenant_id,
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

create or replace view recfleet.live_popular with (security_barrier = true) as
select live_release.tenant_id,
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

create or replace view recfleet.live_excluded with (security_barrier = true) as
select live_release.tenant_id,
       recommendation.customer_id,
       release.release_id,
       release.as_of
  from recfleet.live_release
  join recfleet.release using (release_id, night_id)
  join recfleet.recommendation using (release_id, night_id)
 where recommendation.source = 'excluded';

grant create on schema recfleet to recfleet_live;
alter view recfleet.live_recommendation owner to recfleet_live;
alter view recfleet.live_popular owner to recfleet_live;
alter view recfleet.live_excluded owner to recfleet_live;
revoke create on schema recfleet from recfleet_live;
grant select on recfleet.live_recommendation, recfleet.live_popular, recfleet.live_excluded
  to recfleet_application, recfleet_analyst;

-- What only the owner of the lists can do -----------------------------------------------------------

create function recfleet.nights_with_lists() returns setof bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select found[1]::bigint
    from pg_inherits
    join pg_class as part on part.oid = inhrelid
   cross join lateral regexp_matches(pg_get_expr(part.relpartbound, part.oid), '\d+', 'g') as found
   where inhparent = 'recfleet.recommendation'::regclass
$$;

-- A partition for the lists of nights that have none. It is made on its own and then attached,
-- because `create table … partition of` would lock readers out of all of them until the caller
-- commits.
create function recfleet.make_partition(name_begins text, nights bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  missing bigint[];
  part text;
  among text;
begin
  if name_begins not in ('recommendation_night_', 'recommendation_backfill_') then
    raise exception 'no name for lists: %', name_begins;
  end if;
  perform pg_advisory_xact_lock(hashtext('recfleet recommendation partitions'), 0);
  select array_agg(night order by night), string_agg(night::text, ', ' order by night)
    into missing, among
    from (select unnest(nights) except select recfleet.nights_with_lists()) as new (night)
   where night is not null;
  if missing is null then
    return;
  end if;
  part := name_begins || missing[1];
  execute format('create table if not exists recfleet.%I (like recfleet.recommendation including all, '
                 'check (night_id in (%s)))', part, among);
  execute format('alter table recfleet.recommendation attach partition recfleet.%I for values in (%s)',
                 part, among);
end $$;

-- Copies of lists that stay, in a new table that no reader sees yet; returns the table's name.
create function recfleet.copy_lists(parts text[], nights bigint[], releases bigint[]) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  copy text;
  part text;
begin
  perform recfleet.check_partitions(parts);
  select 'recommendation_kept_' || coalesce(max(substr(relname, 21)::bigint), 0) + 1 into copy
    from pg_class
   where relnamespace = 'recfleet'::regnamespace and relname ~ '^recommendation_kept_[0-9]+$';
  execute format('create table recfleet.%I (like recfleet.recommendation including all, '
                 'check (night_id in (%s)))', copy,
                 (select string_agg(distinct night::text, ', ') from unnest(nights) as night));
  foreach part in array parts loop
    execute format('insert into recfleet.%I select old.* from recfleet.%I as old '
                   'join unnest($1, $2) as wanted (night_id, release_id) using (night_id, release_id) '
                   'order by night_id, release_id, customer_id', copy, part)
      using nights, releases;
  end loop;
  -- Records the number of rows for the next housekeeping, and for the planner of readers.
  execute format('analyze recfleet.%I', copy);
  return copy;
end $$;

-- Puts a copy in the place of partitions, which are dropped; without a copy they are only dropped.
create function recfleet.exchange_lists(parts text[], copy text, nights bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  part text;
begin
  perform recfleet.check_partitions(parts);
  foreach part in array parts loop
    execute format('alter table recfleet.recommendation detach partition recfleet.%I', part);
  end loop;
  if copy is not null then
    if copy !~ '^recommendation_kept_[0-9]+$' then
      raise exception 'no copy of lists: %', copy;
    end if;
    execute format('alter table recfleet.recommendation attach partition recfleet.%I '
                   'for values in (%s)', copy,
                   (select string_agg(distinct night::text, ', ') from unnest(nights) as night));
  end if;
  foreach part in array parts loop
    execute format('drop table recfleet.%I', part);
  end loop;
end $$;

-- Drops copies that a killed process left aside.
create function recfleet.drop_copies() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  copy text;
begin
  for copy in
    select relname from pg_class
     where relnamespace = 'recfleet'::regnamespace and relkind = 'r' and not relispartition
       and relname ~ '^recommendation_kept_[0-9]+$'
  loop
    execute format('drop table recfleet.%I', copy);
  end loop;
end $$;

create function recfleet.check_partitions(parts text[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  stranger text;
begin
  select part into stranger from unnest(parts) as part
   where not exists (select from pg_inherits join pg_class on pg_class.oid = inhrelid
                      where inhparent = 'recfleet.recommendation'::regclass
                        and relnamespace = 'recfleet'::regnamespace and relname = part);
  if found then
    raise exception 'no partition of recommendation: %', stranger;
  end if;
end $$;

-- How many other transactions of this database may not yet see what one has written. Postgres shows
-- the sessions of other roles to its monitors only.
create function recfleet.readers_before(transaction_id text) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select count(*) from pg_stat_activity
   where datname = current_database() and pid <> pg_backend_pid()
     and backend_type = 'client backend' and backend_xmin is not null
     and age(backend_xmin) >= age(transaction_id::xid8::xid)
$$;

revoke execute on function
  recfleet.add_analyst(name, text, text, text, text), recfleet.drop_analyst(name),
  recfleet.make_partition(text, bigint[]), recfleet.copy_lists(text[], bigint[], bigint[]),
  recfleet.exchange_lists(text[], text, bigint[]), recfleet.drop_copies(),
  recfleet.readers_before(text)
  from public;
grant execute on function
  recfleet.add_analyst(name, text, text, text, text), recfleet.drop_analyst(name),
  recfleet.make_partition(text, bigint[]), recfleet.copy_lists(text[], bigint[], bigint[]),
  recfleet.exchange_lists(text[], text, bigint[]), recfleet.drop_copies(),
  recfleet.readers_before(text)
  to recfleet_writer;
