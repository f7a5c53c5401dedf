-- Has this session plan what the service asks most. It asks with somebody's key, and tells nothing.
create function recfleet.serve_warmth() returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  one record;
begin
  select api_key.key_id, api_key.digest, api_key.tenant_id, pair_lists.seeds into one
    from recfleet.api_key
    join recfleet.live_release on live_release.tenant_id = api_key.tenant_id
    left join recfleet.pair_lists on pair_lists.release_id = live_release.release_id
   where 'read' = any (api_key.scopes) and api_key.revoked_at is null
     and coalesce(api_key.expires_at > now(), true)
   limit 1;
  if not found then
    return;
  end if;
  perform recfleet.serve_list(one.key_id, one.digest, one.tenant_id, '');
  perform recfleet.serve_names(one.key_id, one.digest, one.tenant_id, array['']);
  perform recfleet.serve_basket(one.key_id, one.digest, one.tenant_id, '');
  perform recfleet.serve_pair(one.key_id, one.digest, one.tenant_id, one.seeds[1], one.seeds[2]);
end $$;
revoke execute on function recfleet.serve_warmth() from public;
grant execute on function recfleet.serve_warmth() to recfleet_api;
