-- How a command line comes to a login of its own, and what it shows with each call.

-- What a browser brings back to the command line that sent it: good once, for a minute.
create table authorization_code (
  hash          bytea primary key,
  redirect_uri  text not null,
  -- RFC 7636, S256.
  challenge     text not null,
  -- RFC 9449, section 10: whoever asked said which key it holds. Null: it did not.
  key_thumbprint text,
  -- The browser login of whoever allowed it.
  allowed_by    text not null references login on delete cascade,
  ends_at       timestamptz not null,
  spent_at      timestamptz,
  -- What came of it. Null: nothing yet, or nothing at all.
  login         text references login on delete set null,
  check (login is null or spent_at is not null)
);
create index authorization_code_ends on authorization_code (ends_at);

-- A command line on a machine without a browser asks, and a person answers in theirs.
create table device_authorization (
  hash             bytea primary key,
  -- What the person types. Tells nobody anything: it takes a person who is signed in to make something of it.
  user_code        text not null unique check (user_code ~ '^[BCDFGHJKLMNPQRSTVWXZ]{8}$'),
  key_thumbprint   text,
  -- What whoever allows it has to have proved. Null: that they are signed in is enough.
  demand           jsonb,
  client_address   text not null,
  client_agent     text,
  asked_at         timestamptz not null,
  ends_at          timestamptz not null,
  -- It has to wait so long between two questions; longer each time it did not.
  interval_seconds int not null,
  polled_at        timestamptz,
  status           text not null check (status in ('pending', 'allowed', 'refused', 'spent')),
  allowed_by       text references login on delete cascade,
  login            text references login on delete set null,
  check ((allowed_by is null) = (status in ('pending', 'refused'))),
  check (login is null or status = 'spent')
);
create index device_authorization_ends on device_authorization (ends_at);

-- Only hashes: what a client holds is 256 random bits.
create table access_token (
  hash           bytea primary key,
  -- A principal's key, such as `user:alice`.
  principal      text not null,
  -- It is worth nothing once this login is over. Null: it came without one.
  login          text references login on delete cascade,
  -- RFC 9449: nobody uses it but who holds the key. Null: whoever has it.
  key_thumbprint text,
  issued_at      timestamptz not null,
  ends_at        timestamptz not null check (ends_at > issued_at),
  check (login is null or key_thumbprint is not null)
);
create index access_token_ends on access_token (ends_at);
create index access_token_login on access_token (login);
