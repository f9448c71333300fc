-- Who there is besides configuration, and how people sign in.

-- People that a source outside configuration knows. What configuration declares under the same id says who that is; of
-- such a one only `active` counts here.
create table directory_user (
  -- In the name space of configured users. In lower case, so that no two differ by that alone.
  id          text primary key check (id ~ '^[a-z0-9][a-z0-9._@+-]{0,127}$'),
  -- A provider, or another source that configuration names. One that it no longer names counts for nothing.
  source      text not null,
  -- What the source calls it, for ever.
  external_id text not null,
  name        text,
  email       text,
  manager     text,
  active      boolean not null,
  created_at  timestamptz not null,
  changed_at  timestamptz not null,
  unique (source, external_id)
);
-- Who signs in for the first time is looked for by it.
create index directory_user_email on directory_user (source, email) where email is not null;

-- Whom a source has taken out. Their id is theirs for ever, so that nothing of theirs comes to be another’s.
create table former_user (
  id          text primary key,
  source      text not null,
  external_id text not null,
  removed_at  timestamptz not null
);

-- Their groups. The id begins with the source: no source can name a group of configuration, or of another.
create table directory_group (
  id          text primary key check (id = source || '/' || external_id),
  source      text not null,
  external_id text not null check (external_id <> ''),
  name        text not null
);
create index directory_group_source on directory_group (source);

create table directory_membership (
  group_id text not null references directory_group on delete cascade,
  -- `user:ID`, declared or of the directory, or `group:ID` of the directory.
  member   text not null check (member ~ '^(user|group):.'),
  -- What was only said at a sign-in is believed so long. Null: until it is taken back.
  ends_at  timestamptz,
  primary key (member, group_id)
);
create index directory_membership_group on directory_membership (group_id);

-- Whose sign-in it is. One person of a provider for one of ours: whoever gets a mail address that was another's before
-- does not get their access with it.
create table login_link (
  provider  text not null,
  subject   text not null,
  user_id   text not null,
  linked_by text not null check (linked_by in ('configuration', 'email', 'directory', 'newcomer')),
  linked_at timestamptz not null,
  primary key (provider, subject),
  unique (provider, user_id)
);

-- A login of a person: a browser's session, or a command line's.
create table login (
  id               text primary key,
  kind             text not null check (kind in ('browser', 'command-line')),
  user_id          text not null,
  provider         text not null,
  subject          text not null,
  -- What the provider calls its own session.
  provider_session text,
  authentication   jsonb not null,
  -- Of what the client holds. It changes; the one before is good for a moment, for requests that are under way.
  secret_hash      bytea not null unique,
  earlier_hash     bytea,
  earlier_until    timestamptz,
  rotated_at       timestamptz not null,
  client_address   text not null,
  client_agent     text,
  started_at       timestamptz not null,
  last_used_at     timestamptz not null,
  ends_at          timestamptz not null check (ends_at > started_at),
  ended_at         timestamptz,
  end_reason       text,
  -- Of the key that a command line holds (RFC 7638): what it was given is worth nothing to anyone else.
  key_thumbprint   text,
  -- The browser login through which a person let a command line in.
  allowed_by       text references login on delete set null,
  check ((ended_at is null) = (end_reason is null)),
  check ((earlier_hash is null) = (earlier_until is null)),
  check ((kind = 'command-line') = (key_thumbprint is not null))
);
create index login_allowed_by on login (allowed_by) where allowed_by is not null;
create index login_earlier on login (earlier_hash) where earlier_hash is not null and ended_at is null;
create index login_user on login (user_id, id);
create index login_provider on login (provider, subject) where ended_at is null;
create index login_ends on login (ends_at);

create function refuse_login_change() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null then
    raise exception 'a login that has ended stays so' using errcode = 'check_violation';
  end if;
  if (old.kind, old.user_id, old.provider, old.subject, old.key_thumbprint, old.started_at) is distinct from
     (new.kind, new.user_id, new.provider, new.subject, new.key_thumbprint, new.started_at) or new.ends_at > old.ends_at then
    raise exception 'whose a login is never changes, and it gets no longer' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before update on login for each row execute function refuse_login_change();

-- Tokens that count once, until they would be refused for their age.
create table spent_token (
  hash    bytea primary key,
  ends_at timestamptz not null
);
create index spent_token_ends on spent_token (ends_at);

-- Who was refused of late: the first ones of a kind have entries of their own, and how many more there were has another.
create table refusal (
  -- Of everything that makes two of them the same.
  hash    bytea primary key,
  type    text not null,
  -- The issuer, the provider, or the person whose factor it was.
  source  text not null,
  cause   text,
  -- Null, with the cause: those that there were too many different ones of.
  subject text,
  address text,
  since   timestamptz not null,
  last_at timestamptz not null,
  times   integer not null check (times > 0)
);
create index refusal_source on refusal (type, source);
create index refusal_since on refusal (since);
