-- Where data comes from by itself -------------------------------------------------------------------

-- A feed: a folder, a bucket or a query, as its TOML says. No credential is ever here.
create table recfleet.feed (
  feed        text primary key check (feed ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  toml        text not null,
  tenant_id   text,                             -- whose data all of it is, if it is one tenant's
  added_at    timestamptz not null default now(),
  added_by    text not null,
  changed_at  timestamptz not null default now(),
  paused_at   timestamptz,
  looked_at   timestamptz,                      -- the beginning of the last look that came to its end
  tried_at    timestamptz,                      -- the beginning of the last look
  trouble     text,                             -- why that one did not come to its end
  unfinished  integer not null default 0,       -- files that were not complete then
  cursor      jsonb,                            -- how far a query was read
  without     text[] not null default '{}',     -- tenants that were deleted: their folders are left
  tested      jsonb                             -- what came of the last test
);

-- What was taken from a feed: one row for each version of a file, and for each batch of a query. It
-- becomes `taken` in the transaction that writes the lines.
create table recfleet.feed_taking (
  feed         text not null references recfleet.feed on delete cascade,
  item         text not null,                   -- the file below the feed's folder, or the batch
  version      text not null,                   -- changes with the file
  tenant_id    text,                            -- whose folder it is in
  state        text not null check (state in ('reading', 'taken', 'set aside')),
  attempts     smallint not null default 1,
  began_at     timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,
  ingest_id    bigint references recfleet.ingest,
  fingerprint  text,
  lines        bigint,
  added        bigint,
  unusable     bigint,
  reason       text,                            -- why it was set aside
  is_moved     boolean not null default false,  -- out of the feed's folder, with the reason beside it
  primary key (feed, item, version)
);
create index on recfleet.feed_taking (feed, ended_at);

alter table recfleet.feed_taking enable row level security;
create policy all_tenants on recfleet.feed_taking to recfleet_writer using (true) with check (true);
create policy all_tenants_to_read on recfleet.feed_taking for select to recfleet_reader using (true);
