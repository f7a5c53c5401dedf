-- Purchase lines that a caller sends, already found usable; those that are there stay as they are. They
-- are told apart as the lines of files are, so that a call that is sent again adds nothing. `known` has
-- the numbers of the lines that were there.
create function recfleet.serve_interactions(
  of_key text, with_digest bytea, of_tenant text, lines jsonb,
  out trouble text, out tenant_id text, out topic text, out known integer[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  opened record;
begin
  select * into opened from recfleet.open_key(of_key, with_digest, 'data');
  trouble := opened.trouble;
  if trouble is not null or opened.of_tenant is distinct from serve_interactions.of_tenant then
    return;
  end if;
  -- The tenant is not deleted meanwhile.
  select tenant.tenant_id, tenant.topic into tenant_id, topic
    from recfleet.tenant where tenant.tenant_id = opened.of_tenant for key share;
  if tenant_id is null then
    return;
  end if;
  with sent as (
    select * from jsonb_to_recordset(lines) as line (
      number integer, occurred_at timestamptz, customer_id text, product_id text,
      quantity double precision, amount double precision, reference text)
  ), said as (
    select *, hashtextextended(row(customer_id, product_id, quantity, amount, reference)::text, 0)
              as says
      from sent
  ), counted as (
    select *, row_number() over (partition by occurred_at, says order by number) as repetition
      from said
  ), hashed as (
    select *, hashtextextended(row(customer_id, product_id, quantity, amount, reference)::text,
                               repetition) as line_hash
      from counted
  ), added as (
    insert into recfleet.interaction as interaction
           (tenant_id, occurred_at, line_hash, customer_id, product_id, quantity, amount, repetition)
    select opened.of_tenant, occurred_at, line_hash, customer_id, product_id, quantity, amount,
           least(repetition, 32767)
      from hashed order by occurred_at, line_hash
    on conflict do nothing
    returning interaction.occurred_at, interaction.line_hash
  )
  select coalesce(array_agg(hashed.number order by hashed.number), '{}') into known
    from hashed left join added using (occurred_at, line_hash)
   where added.line_hash is null;
  insert into recfleet.product (tenant_id, product_id)
  select distinct opened.of_tenant, line.product_id
    from jsonb_to_recordset(lines) as line (product_id text)
   order by 2
  on conflict do nothing;
end $$;
revoke execute on function recfleet.serve_interactions(text, bytea, text, jsonb) from public;
grant execute on function recfleet.serve_interactions(text, bytea, text, jsonb) to recfleet_api;
