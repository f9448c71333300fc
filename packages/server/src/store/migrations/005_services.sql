-- Services that prove who they are by what their platform gives them, and agents.

-- A service or an agent that proved who it is: what it may show so long, of which only the hash is kept.
create table machine_login (
  id             text primary key,
  principal      text not null check (principal ~ '^(service|agent):.'),
  -- What it rests on, for as long as it counts: a rule, a secret or a key of configuration, or another login.
  proof          jsonb not null,
  authentication jsonb not null,
  -- What is given to it is its run's alone. Null: it is bound to none.
  run            text,
  token_hash     bytea not null unique,
  -- RFC 9449: nobody uses it but who holds the key. Null: whoever has it.
  key_thumbprint text,
  -- Null: it was made within a call of whom it acts for.
  client_address text,
  started_at     timestamptz not null,
  ends_at        timestamptz not null check (ends_at > started_at),
  ended_at       timestamptz,
  end_reason     text,
  check ((ended_at is null) = (end_reason is null))
);
create index machine_login_principal on machine_login (principal, id);
create index machine_login_run on machine_login (run) where run is not null and ended_at is null;
create index machine_login_ends on machine_login (ends_at);

create function refuse_machine_login_change() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null then
    raise exception 'a login that has ended stays so' using errcode = 'check_violation';
  end if;
  if (old.principal, old.proof, old.run, old.token_hash, old.key_thumbprint, old.started_at, old.ends_at)
     is distinct from
     (new.principal, new.proof, new.run, new.token_hash, new.key_thumbprint, new.started_at, new.ends_at) then
    raise exception 'whose a login is, by what and how long, never changes' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before update on machine_login for each row execute function refuse_machine_login_change();

-- Secrets of services that have no platform to vouch for them. Shown once.
create table service_secret (
  id           text primary key,
  service      text not null,
  hash         bytea not null unique,
  made_at      timestamptz not null,
  made_by      text not null,
  expires_at   timestamptz not null check (expires_at > made_at),
  last_used_at timestamptz,
  revoked_at   timestamptz
);
create index service_secret_service on service_secret (service, id);

-- Agents that were killed, until someone restores them.
create table killed_agent (
  agent     text primary key,
  killed_at timestamptz not null,
  killed_by text not null,
  reason    text not null
);
