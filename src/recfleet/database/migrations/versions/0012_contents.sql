-- A file's name -> its length in bytes and its SHA-256, such as "1408 9f86d0…". The folder of a model
-- must hold exactly these files; null: nothing is on record, as for models of older releases.
alter table recfleet.champion add column contents jsonb;

comment on column recfleet.champion.contents is
  'What the folder of the model must hold: the name of each file, its length in bytes and its SHA-256.';

-- Every model that is in force or may become so: roles champion, previous and waiting. The view is
-- replaced, not dropped, so that its readers keep their rights.
create or replace view recfleet.model_on_record as
select tenant_id, role, version, run_id, model_uri, train_end, night_id, contents
  from recfleet.champion
 union all
select approval.tenant_id,
       'waiting',
       approval.version,
       approval.run_id,
       challenger.model_uri,                        -- null: its night no longer has it
       challenger.train_end,
       approval.night_id,
       challenger.contents
  from recfleet.approval
  left join lateral (
    select ledger.challenger ->> 'model_uri' as model_uri,
           (ledger.challenger ->> 'train_end')::timestamptz as train_end,
           ledger.challenger -> 'contents' as contents
      from recfleet.ledger
     where ledger.night_id = approval.night_id and ledger.tenant_id = approval.tenant_id
       and ledger.challenger ->> 'run_id' = approval.run_id) as challenger on true
 where approval.status = 'waiting';
