-- How people prove more than a sign-in at their provider, and accounts of Tidegate itself.

create table passkey (
  id            text primary key,
  user_id       text not null,
  -- As the authenticator calls it, in base64url.
  credential_id text not null unique,
  public_key    bytea not null,
  -- Of signatures. One that counts never goes back: then it has a copy.
  counter       bigint not null check (counter >= 0),
  transports    text[] not null,
  name          text not null check (length(name) between 1 and 100),
  -- More than one device may have it, by what keeps it in step between them.
  synced        boolean not null,
  created_at    timestamptz not null,
  last_used_at  timestamptz
);
create index passkey_user on passkey (user_id);

create table totp (
  user_id      text primary key,
  -- Sealed, for this person: it has to be read.
  secret       bytea not null,
  -- The step of the last code that was taken. No code counts twice, nor one from before it.
  last_step    integer not null,
  created_at   timestamptz not null,
  last_used_at timestamptz not null
);

create table recovery_code (
  hash    bytea primary key,
  user_id text not null,
  used_at timestamptz,
  -- The login that it was used for. Whoever is told of it is told by another.
  used_by text,
  told_at timestamptz,
  check ((used_at is null) = (used_by is null)),
  check (told_at is null or used_at is not null)
);
create index recovery_code_user on recovery_code (user_id);

-- Wrong guesses at what can be guessed, by hash of whose or from where. Kept for a day after the last.
create table guess (
  subject  bytea primary key,
  failures integer not null check (failures >= 0),
  last_at  timestamptz not null
);
create index guess_last on guess (last_at);

-- Whoever signs in here rather than at a provider. Who that is, configuration or a source says.
create table local_account (
  user_id   text primary key,
  -- Argon2id, with its parameters and salt. Null: by passkey alone.
  password  text,
  joined_at timestamptz not null
);

create table invitation (
  hash       bytea primary key,
  user_id    text not null,
  created_at timestamptz not null,
  ends_at    timestamptz not null check (ends_at > created_at),
  -- The one that was printed at the first start: it does not outlive the next.
  printed    boolean not null
);
create index invitation_user on invitation (user_id);

-- That an administrator had someone's factors forgotten. Their logins are told for some days.
create table factor_reset (
  user_id  text primary key,
  reset_at timestamptz not null,
  reset_by text not null
);
