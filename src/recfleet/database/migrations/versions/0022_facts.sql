-- What is known of customers and products -----------------------------------------------------------

-- A customer as a file said it is; whoever only bought is not here.
create table recfleet.customer (
  tenant_id    text not null,
  customer_id  text not null,
  name         text,
  region       text,                            -- where products of these regions may be offered
  segment      text,                            -- whose popular products a newcomer gets
  attributes   jsonb,
  ingest_id    bigint,                          -- the load that added it
  changed_at   timestamptz not null default now(),
  primary key (tenant_id, customer_id)
);
alter table recfleet.customer enable row level security;
create policy all_tenants on recfleet.customer to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.customer for select to recfleet_reader using (true);

alter table recfleet.product
  add column price double precision,            -- of one unit
  add column regions text[],                    -- where alone it may be sold; null: everywhere
  add column introduced_at timestamptz;         -- from when on it is sold; null: always

create index on recfleet.product (tenant_id, introduced_at) where introduced_at is not null;

alter table recfleet.ingest
  add column kind text not null default 'purchases'
    check (kind in ('purchases', 'customers', 'products'));
