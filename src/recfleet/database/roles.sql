-- The roles of recfleet's database, and what nobody needs there. An administrator of the server runs
-- this before each migration; what is there already stays.

do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('recfleet_owner', 'nologin createrole'),   -- creates and drops analysts, by two functions
      ('recfleet_live', 'nologin'),
      ('recfleet_analyst', 'nologin'),
      ('recfleet_writer', 'login'),
      ('recfleet_reader', 'login connection limit 60'),
      ('recfleet_application', 'login connection limit 60'),
      ('recfleet_api', 'login connection limit 60')
    ) as known (name, options)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      begin
        execute format('create role %I %s', wanted.name, wanted.options);
      exception when duplicate_object or unique_violation then
        null;                                     -- another database's migration was quicker
      end;
    end if;
  end loop;
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant recfleet_owner to %I with inherit true, set true', current_user);
  end if;
  if not pg_has_role('recfleet_owner', 'recfleet_live', 'set') then
    grant recfleet_live to recfleet_owner with inherit true, set true;
  end if;
  if not pg_has_role('recfleet_owner', 'recfleet_analyst', 'usage with admin option') then
    grant recfleet_analyst to recfleet_owner with admin true, inherit true, set false;
  end if;
  -- Housekeeping waits for readers, whoever they are.
  if not pg_has_role('recfleet_owner', 'pg_read_all_stats', 'usage') then
    grant pg_read_all_stats to recfleet_owner;
  end if;
  -- The login that owned everything, in a stack of an earlier release.
  if exists (select from pg_roles where rolname = 'recfleet' and rolcanlogin and not rolsuper)
     and current_user <> 'recfleet' then
    alter role recfleet nologin;
  end if;
  revoke all on schema public from public;
end $$;

-- Locks by number would let anybody hold up the nights, and large objects fill the disk.
do $$
declare
  free record;
begin
  for free in
    select proc.oid::regprocedure as signature, proname ~ 'advisory' as is_lock
      from pg_proc as proc
     cross join lateral aclexplode(coalesce(proacl, acldefault('f', proowner))) as allowed
     where pronamespace = 'pg_catalog'::regnamespace
       and proname ~ '^(pg_(try_)?advisory_|lo_|lowrite$|loread$)'
       and allowed.grantee = 0 and allowed.privilege_type = 'EXECUTE'
  loop
    execute format('revoke execute on function %s from public', free.signature);
    if free.is_lock then
      execute format('grant execute on function %s to recfleet_owner, recfleet_writer',
                     free.signature);
    end if;
  end loop;
end $$;
