-- A customer who asked to be forgotten, by a digest alone: a feed that sends the old lines again is
-- known by it.
create table recfleet.forgotten (
  tenant_id     text not null references recfleet.tenant on delete restrict,
  salt          uuid not null default gen_random_uuid(),
  digest        bytea not null,                 -- SHA-256 of salt and id
  forgotten_at  timestamptz not null default now(),
  primary key (tenant_id, digest)
);
alter table recfleet.forgotten enable row level security;
create policy all_tenants on recfleet.forgotten to recfleet_writer using (true) with check (true);
-- Nobody reads it by day.
revoke select on recfleet.forgotten from recfleet_reader;
revoke update, truncate on recfleet.forgotten from recfleet_writer;

alter table recfleet.audit drop constraint audit_kind_check;
alter table recfleet.audit add constraint audit_kind_check check (kind in
  ('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', 'approved',
   'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', 'analyst', 'key',
   'load undone', 'feed', 'experiment', 'customer forgotten'));
