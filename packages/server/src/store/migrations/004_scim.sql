-- What sources push by SCIM, as they are to read it back. What follows from it is in the directory.

create table scim_user (
  -- What sources call them by from here on.
  id          text primary key,
  source      text not null,
  -- Who it is. That stays, whatever the person is called later.
  user_id     text not null references directory_user,
  user_name   text not null,
  external_id text,
  -- By the names of the table of attributes, and nothing beyond it.
  document    jsonb not null,
  version     integer not null default 1,
  created_at  timestamptz not null,
  changed_at  timestamptz not null,
  unique (source, user_id),
  unique (source, external_id)
);
create unique index scim_user_name on scim_user (source, lower(user_name));

create table scim_group (
  id          text primary key,
  source      text not null,
  -- It goes by its name, because configuration does; a group that is called otherwise is another one there.
  group_id    text not null unique references directory_group,
  external_id text,
  name        text not null,
  version     integer not null default 1,
  created_at  timestamptz not null,
  changed_at  timestamptz not null,
  unique (source, external_id)
);
create index scim_group_name on scim_group (source, lower(name));
