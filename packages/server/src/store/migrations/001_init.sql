-- The first schema. Forward only: what comes later is a new file.
-- Times are bound by the server, never now(): the clock is a parameter everywhere.

create table installation (
  only_one       boolean primary key default true check (only_one),
  created_at     timestamptz not null,
  -- Something known, sealed under the master key: tells a wrong key from a right one at start.
  key_check      bytea not null,
  log_origin     text not null,
  -- To the first administrator, by the first server that listened.
  ways_in_given_at timestamptz
);

-- Every master key that has ever sealed in this store, by its id, which says nothing else about it. One that another took
-- the place of never seals again.
create table master_key (
  id        text primary key check (id ~ '^[0-9a-f]{8}$'),
  since     timestamptz not null,
  until     timestamptz,
  -- From here on nothing was left that it had sealed.
  unused_at timestamptz,
  check (unused_at is null or until is not null)
);
create unique index master_key_sealing on master_key ((true)) where until is null;

-- Declared configuration: one row a version, whole. What a version leaves out does not exist in it.
create table configuration_version (
  version    integer primary key check (version >= 1),
  files      jsonb not null,
  hash       text not null,
  applied_at timestamptz not null,
  applied_by text not null
);

create table configuration_change (
  id         text primary key,
  base       integer not null,
  files      jsonb not null,
  plan       jsonb not null,
  status     text not null check (status in ('applied', 'pending', 'rejected', 'stale')),
  author     text not null,
  at         timestamptz not null,
  settled_by text,
  settled_at timestamptz,
  version    integer references configuration_version,
  -- Four eyes: whoever settles a change that waited by applying it is someone else.
  waited     boolean not null,
  check (not (waited and status = 'applied' and settled_by = author))
);

-- Tokens that configuration does not hold: the first administrator's. Only hashes.
create table api_token (
  id         text primary key,
  principal  text not null,
  hash       bytea not null unique,
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at),
  revoked_at timestamptz
);

create table signal (
  name        text not null,
  subject     text not null,
  value       jsonb not null,
  source      text not null,
  observed_at timestamptz not null,
  stale_at    timestamptz not null,
  primary key (subject, name)
);

-- A decision with everything it was made from, so that it can be made again.
create table decision (
  id             text primary key,
  at             timestamptz not null,
  policy_version text not null,
  outcome        text not null check (outcome in ('permit', 'approve', 'step-up', 'deny')),
  question       jsonb not null,
  answer         jsonb not null
);

create table request_transition (
  from_status text not null,
  to_status   text not null,
  primary key (from_status, to_status)
);
insert into request_transition values
  ('pending', 'approved'), ('pending', 'denied'), ('pending', 'cancelled'), ('pending', 'expired'),
  ('approved', 'failed');

create table access_request (
  id            text primary key,
  principal     text not null,
  resource      text not null,
  role          text not null,
  duration_ms   bigint not null check (duration_ms > 0),
  reason        text not null check (reason <> ''),
  ticket        text,
  task          text,
  start_at      timestamptz,
  status        text not null check (status in ('pending', 'approved', 'denied', 'cancelled', 'expired', 'failed')),
  decision      text not null references decision,
  filed_at      timestamptz not null,
  -- How its principal had proved who it is. Null: by a token.
  authentication jsonb,
  pending_until timestamptz not null,
  settled_at    timestamptz,
  -- That this grant end later. Null: a grant of its own.
  extends       text,
  -- The grant that came of it, or that it extended.
  grant_id      text,
  version       integer not null check (version >= 1),
  check ((status = 'pending') = (settled_at is null)),
  check (grant_id is null or status in ('approved', 'failed')),
  check (extends is null or (start_at is null and (grant_id = extends) is not false))
);
create unique index access_request_grant on access_request (grant_id) where extends is null;
create index access_request_extends on access_request (extends) where extends is not null;
create index access_request_principal on access_request (principal, id);
create index access_request_resource on access_request (resource, id);
create index access_request_due on access_request (pending_until) where status = 'pending';

create table approval (
  id       text primary key,
  request  text not null references access_request,
  approver text not null,
  verdict  text not null check (verdict in ('approve', 'deny')),
  as_specs text[] not null check (cardinality(as_specs) > 0),
  comment  text,
  at       timestamptz not null,
  -- The order in which they count. Their times do not say it: two servers have two clocks, and two answers one millisecond.
  serial   bigint generated always as identity,
  -- A person counts once, in however many groups.
  unique (request, approver)
);

create table grant_transition (
  from_state text not null,
  to_state   text not null,
  primary key (from_state, to_state)
);
insert into grant_transition values
  ('scheduled', 'ready'), ('scheduled', 'ended'),
  ('ready', 'provisioning'), ('ready', 'ended'),
  ('provisioning', 'active'), ('provisioning', 'ready'), ('provisioning', 'ending'), ('provisioning', 'ended'),
  ('active', 'ending'),
  ('ending', 'ended');

create table access_grant (
  id              text primary key,
  request         text not null unique references access_request,
  principal       text not null,
  resource        text not null,
  role            text not null,
  state           text not null check (state in ('scheduled', 'ready', 'provisioning', 'active', 'ending', 'ended')),
  duration_ms     bigint not null check (duration_ms > 0),
  start_at        timestamptz,
  activate_by     timestamptz not null,
  activated_at    timestamptz,
  opened_at       timestamptz,
  expires_at      timestamptz,
  -- The latest request that made it end later, and when: its duration counts from there.
  extension       text unique references access_request,
  extended_at     timestamptz,
  attempt         integer not null default 0,
  unsure_attempts integer not null default 0 check (unsure_attempts >= 0),
  end_reason      text,
  end_at          timestamptz,
  end_by          text,
  end_note        text,
  ended_at        timestamptz,
  -- The configuration it was last opened under: where to close it when the resource has moved since.
  configuration   integer references configuration_version,
  -- How its holder had proved who they are when it was last activated, null: by a token; and through which login.
  authentication  jsonb,
  login           text,
  close_failures  integer not null default 0,
  close_error     text,
  -- When the reconciler has to look at it next. Null: never again.
  due_at          timestamptz,
  -- What policy asks of its sessions: kind, name, policies.
  obligations     jsonb not null default '[]',
  -- Only while it is active, and only where gateways stand before its target: the login there, sealed; what a gateway
  -- checks its holder's password with; and the databases it leads to.
  login_sealed    bytea,
  login_verifier  text,
  login_databases text[],
  check ((login_sealed is null) = (login_verifier is null) and (login_sealed is null) = (login_databases is null)),
  check (login_sealed is null or state = 'active'),
  check (expires_at > activated_at),
  check ((extension is null) = (extended_at is null)),
  check (extension is null or state in ('active', 'ending', 'ended')),
  check (state not in ('provisioning', 'active') or (activated_at is not null and expires_at is not null and configuration is not null)),
  check (state not in ('ending', 'ended') or (end_reason is not null and end_at is not null)),
  check ((state = 'ended') = (ended_at is not null)),
  check ((state = 'ended') = (due_at is null)),
  check (state not in ('scheduled', 'ready') or unsure_attempts = 0)
);
create index access_grant_due on access_grant (due_at) where due_at is not null;
create index access_grant_principal on access_grant (principal, id);
create index access_grant_resource on access_grant (resource, id);
create index access_grant_gateways on access_grant (id) where login_verifier is not null;
create index access_grant_open on access_grant (resource) where state in ('provisioning', 'active', 'ending');

alter table access_request add foreign key (grant_id) references access_grant deferrable initially deferred;
alter table access_request add foreign key (extends) references access_grant;

create function refuse_illegal_request() returns trigger language plpgsql as $$
begin
  if old.status <> new.status
     and not exists (select from request_transition where from_status = old.status and to_status = new.status) then
    raise exception 'a request does not go from % to %', old.status, new.status using errcode = 'check_violation';
  end if;
  if (old.principal, old.resource, old.role, old.extends)
     is distinct from (new.principal, new.resource, new.role, new.extends) then
    raise exception 'who a request is for and what it asks for never change' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before update on access_request for each row execute function refuse_illegal_request();

create function may_extend(before access_grant, after access_grant) returns boolean language sql stable as $$
  select after.state = 'active' and after.extension is distinct from before.extension and exists (
    select from access_request as request
    where request.id = after.extension and request.extends = after.id and request.status = 'approved'
      and (request.principal, request.resource, request.role) = (after.principal, after.resource, after.role)
      and after.expires_at <= after.extended_at + request.duration_ms * interval '1 millisecond'
  )
$$;

create function refuse_illegal_grant() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state not in ('scheduled', 'ready') then
      raise exception 'a grant does not begin as %', new.state using errcode = 'check_violation';
    end if;
    if not exists (select from access_request where id = new.request and status = 'approved') then
      raise exception 'a grant needs an approved request' using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if old.state <> new.state
     and not exists (select from grant_transition where from_state = old.state and to_state = new.state) then
    raise exception 'a grant does not go from % to %', old.state, new.state using errcode = 'check_violation';
  end if;
  if (old.request, old.principal, old.resource, old.role) is distinct from (new.request, new.principal, new.resource, new.role) then
    raise exception 'who a grant is for and what it gives never change' using errcode = 'check_violation';
  end if;
  if old.state in ('ending', 'ended') and new.expires_at is distinct from old.expires_at then
    raise exception 'a grant that is over does not get longer' using errcode = 'check_violation';
  end if;
  if old.state = 'active' and (new.expires_at > old.expires_at or new.extension is distinct from old.extension)
     and not may_extend(old, new) then
    raise exception 'an active grant gets longer by an approved request for that, and by no more than that' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before insert or update on access_grant for each row execute function refuse_illegal_grant();

-- Gateways. One is invited, enrols once with the token of its invitation, and signs in with its key from then on.
create table gateway (
  id                 text primary key check (id ~ '^[a-z][a-z0-9-]{0,62}$'),
  -- Null: every resource that has gateways.
  resources          text[] check (cardinality(resources) > 0),
  invited_at         timestamptz not null,
  -- Of the token, also once it is used: whoever used it may have to ask again. Only its hash.
  invitation_hash    bytea unique,
  invitation_ends_at timestamptz,
  public_key         bytea check (octet_length(public_key) = 32),
  -- Where clients reach it: host, port, tls, ca.
  address            jsonb,
  enrolled_at        timestamptz,
  -- As the gateway wrote it: the next sign-in is later.
  signed_in_at       timestamptz,
  -- It is stopping: nobody is led to it. Null again with the next sign-in.
  signed_off_at      timestamptz,
  last_seen_at       timestamptz,
  removed_at         timestamptz,
  check ((invitation_hash is null) = (invitation_ends_at is null)),
  check ((removed_at is null) = (invitation_hash is not null)),
  check ((public_key is null) = (enrolled_at is null) and (public_key is null) = (address is null)),
  check (removed_at is null or public_key is null)
);

create table gateway_token (
  hash       bytea primary key,
  gateway    text not null references gateway,
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at)
);
create index gateway_token_gateway on gateway_token (gateway);

-- One use of a grant, as its gateway told it.
create table access_session (
  id                 text primary key,
  grant_id           text not null references access_grant,
  gateway            text not null references gateway,
  database           text not null,
  client_address     text not null,
  client_port        integer not null,
  client_tls         boolean not null,
  client_application text not null,
  started_at         timestamptz not null,
  ended_at           timestamptz,
  end_reason         text,
  -- Nobody said how it ended. A gateway that does so later is still believed.
  lost               boolean not null default false,
  statements         bigint,
  refused            bigint,
  -- How far its recording has come, and what that must have in it.
  head               jsonb,
  used               jsonb,
  -- By rule, what its guard has refused so far: `first`, `last` and `count` of the statements.
  refusals           jsonb,
  kill_asked_at      timestamptz,
  kill_reason        text,
  -- Its recording is to be deleted, and was: the digest is that of the tombstone on the gateway's disk.
  forget_asked_at    timestamptz,
  forget_by          text,
  forget_reason      text,
  forgotten_at       timestamptz,
  forgotten_digest   text,
  check ((ended_at is null) = (end_reason is null)),
  check (not lost or ended_at is not null),
  check ((kill_asked_at is null) = (kill_reason is null)),
  check ((forget_asked_at is null) = (forget_by is null) and (forget_asked_at is null) = (forget_reason is null)),
  check (forget_asked_at is null or ended_at is not null),
  -- Nothing is gone that nobody has asked to be.
  check (forgotten_at is null or forget_asked_at is not null),
  check ((forgotten_at is null) = (forgotten_digest is null))
);
create index access_session_grant on access_session (grant_id, id);
create index access_session_open on access_session (gateway) where ended_at is null;
create index access_session_kill on access_session (id) where kill_asked_at is not null and ended_at is null;
create index access_session_forget on access_session (id) where forget_asked_at is not null and forgotten_at is null;
create index access_session_kept on access_session (ended_at) where head is not null and forget_asked_at is null;
create index access_session_ended on access_session (ended_at) where ended_at is not null;

-- Somebody reads a recording from afar, for as long as they ask for more. What its gateway has sent waits here, sealed,
-- until they have it.
create table recording_view (
  id       text primary key,
  session  text not null references access_session,
  gateway  text not null references gateway,
  viewer   text not null,
  follow   boolean not null,
  asked_at timestamptz not null,
  -- Who sends: a gateway that began anew is another.
  sender   text,
  sent     integer not null default 0 check (sent >= 0),
  is_over  boolean not null default false
);
create index recording_view_gateway on recording_view (gateway);

create table recording_piece (
  view   text not null references recording_view on delete cascade,
  number integer not null check (number >= 1),
  sealed bytea not null,
  primary key (view, number)
);

create table statement_transition (
  from_status text not null,
  to_status   text not null,
  primary key (from_status, to_status)
);
insert into statement_transition values
  ('pending', 'approved'), ('pending', 'denied'), ('pending', 'expired'), ('pending', 'abandoned'),
  ('approved', 'run'), ('approved', 'abandoned'), ('abandoned', 'run');

-- A statement that a person has to approve, once, as its gateway asked about it.
create table access_statement (
  id            text primary key,
  session       text not null references access_session,
  grant_id      text not null references access_grant,
  gateway       text not null references gateway,
  -- Whose session it is: as of the grant.
  principal     text not null,
  number        integer not null check (number >= 1),
  rule          text not null,
  about         text not null,
  -- Lists of groups: whoever answers is in one of each.
  approvers     jsonb not null,
  -- Text and parameters, sealed, and only while somebody may have to read them.
  contents      bytea,
  -- Of the digest, which is in the log as a commitment; sealed.
  salt          bytea not null,
  digest        text not null,
  status        text not null check (status in ('pending', 'approved', 'denied', 'expired', 'abandoned', 'run')),
  asked_at      timestamptz not null,
  pending_until timestamptz not null check (pending_until > asked_at),
  answered_by   text,
  answered_as   text[] check (cardinality(answered_as) > 0),
  answered_at   timestamptz,
  comment       text,
  settled_at    timestamptz,
  because       text,
  -- Its gateway has said what became of it, or will never say.
  over_at       timestamptz,
  unique (session, number),
  check ((status = 'pending') = (contents is not null) and (status = 'pending') = (settled_at is null)),
  check ((answered_by is null) = (answered_at is null) and (answered_by is null) = (answered_as is null)),
  check (status not in ('approved', 'denied', 'run') or answered_by is not null),
  check (status not in ('pending', 'expired') or answered_by is null),
  check (answered_by <> principal),
  check ((status = 'abandoned') = (because is not null)),
  check (over_at is null or status not in ('pending', 'approved'))
);
create index access_statement_pending on access_statement (pending_until) where status = 'pending';
create index access_statement_untold on access_statement (gateway) where over_at is null and status <> 'pending';
create index access_statement_grant on access_statement (grant_id, id);
create index access_statement_principal on access_statement (principal, id);

create function refuse_illegal_statement() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'a statement does not begin as %', new.status using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if old.status <> new.status
     and not exists (select from statement_transition where from_status = old.status and to_status = new.status) then
    raise exception 'a statement does not go from % to %', old.status, new.status using errcode = 'check_violation';
  end if;
  if (old.session, old.grant_id, old.principal, old.number, old.digest) is distinct from
     (new.session, new.grant_id, new.principal, new.number, new.digest)
     -- Behind the 65 bytes in which another master key wraps its key anew.
     or (new.contents is not null and substr(new.contents, 66) is distinct from substr(old.contents, 66)) then
    raise exception 'whose a statement is and what it says never change' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before insert or update on access_statement for each row execute function refuse_illegal_statement();

create table finding (
  id           text primary key,
  kind         text not null,
  subject      text not null,
  severity     text not null check (severity in ('low', 'medium', 'high')),
  message      text not null,
  opened_at    timestamptz not null,
  last_seen_at timestamptz not null,
  closed_at    timestamptz
);
create unique index finding_open on finding (kind, subject) where closed_at is null;

create table idempotency (
  principal  text not null,
  key        text not null,
  operation  text not null,
  input_hash bytea not null,
  output     jsonb not null,
  at         timestamptz not null,
  primary key (principal, key)
);
create index idempotency_at on idempotency (at);

-- The log. An entry is written with the change it tells of; its place in the tree comes later, from the sequencer.
create table audit_entry (
  serial     bigint generated always as identity primary key,
  id         text not null unique,
  type       text not null,
  at         timestamptz not null,
  request    text,
  grant_id   text,
  body       bytea not null,
  leaf_index bigint
);
-- Nothing is in it before it has its place: entries come without one, and most come in the same second.
create unique index audit_entry_leaf_index on audit_entry (leaf_index) where leaf_index is not null;
create index audit_entry_waiting on audit_entry (serial) where leaf_index is null;
create index audit_entry_request on audit_entry (request, serial) where request is not null;
create index audit_entry_grant on audit_entry (grant_id, serial) where grant_id is not null;
create index audit_entry_type on audit_entry (type, serial);

-- What the commitments in entries stand for. Deleting rows here erases; the log still verifies.
create table audit_disclosure (
  entry   text not null references audit_entry (id),
  path    text not null,
  salt    bytea not null,
  value   jsonb not null,
  -- Whose personal data it is, so that it can be found for erasure.
  subject text,
  primary key (entry, path)
);
create index audit_disclosure_subject on audit_disclosure (subject);

create function refuse_entry_change() returns trigger language plpgsql as $$
begin
  raise exception 'entries do not change' using errcode = 'check_violation';
end $$;
-- Each gets its place once. That is asked of every entry, so the question is part of the trigger, and no call.
create trigger unchanging before update on audit_entry for each row
  when (old.leaf_index is not null
        or (old.serial, old.id, old.type, old.at, old.request, old.grant_id, old.body)
           is distinct from (new.serial, new.id, new.type, new.at, new.request, new.grant_id, new.body))
  execute function refuse_entry_change();
create trigger not_removed before delete on audit_entry for each row execute function refuse_entry_change();
-- Emptying a table passes by what looks at each of its rows.
create trigger not_emptied before truncate on audit_entry for each statement execute function refuse_entry_change();

create table audit_tile (
  level  smallint not null check (level between 0 and 63),
  number bigint not null,
  hashes bytea not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  primary key (level, number)
);

create table audit_checkpoint (
  size bigint primary key,
  note text not null,
  at   timestamptz not null
);

-- The keys of the log, one after the other. The last but one may still sign, until the entry that names the last is covered.
create table log_key (
  number       integer primary key check (number >= 1),
  verifier_key text not null unique,
  -- Ed25519, sealed. Gone as soon as it has signed for the last time.
  signing_key  bytea,
  since        timestamptz not null,
  -- Where the entry stands that names it. Null: it is the first, or that entry has no place yet.
  named_at     bigint,
  -- The tree with that entry of the next key, which both have signed.
  last_size    bigint references audit_checkpoint,
  check ((signing_key is null) = (last_size is not null)),
  check (number > 1 or named_at is null)
);
create unique index log_key_waiting on log_key ((true)) where number > 1 and named_at is null;

-- When each target is next read and put in order.
create table target_state (
  resource text primary key,
  due_at   timestamptz not null,
  failures integer not null default 0,
  error    text,
  -- The configuration under which it was last found in order, and when.
  configuration integer,
  tended_at     timestamptz
);
create index target_state_due on target_state (due_at);
