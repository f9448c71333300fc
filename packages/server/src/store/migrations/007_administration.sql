-- Roles of Tidegate itself, and access in an emergency.

-- Who administers by a live grant: read at every call of a person.
create index access_grant_administration on access_grant (principal, expires_at)
  where resource = 'tidegate' and state = 'active';

-- As what policy is asked. Null: access. It stays what it was when it was filed.
alter table access_request add column action text check (action = 'break-glass');
-- Breaking glass waits for nobody, is never later, and extends nothing.
alter table access_request add check (action is null or (status <> 'pending' and start_at is null and extends is null));

-- Each use of break-glass, to be looked at by someone else. Written with the grant.
create table break_glass_review (
  id         text primary key,
  grant_id   text not null unique references access_grant deferrable initially deferred,
  -- User id: only people break glass.
  person     text not null,
  resource   text not null,
  role       text not null,
  reason     text not null check (reason <> ''),
  used_at    timestamptz not null,
  due_at     timestamptz not null check (due_at > used_at),
  closed_at  timestamptz check (closed_at >= used_at),
  -- User id. Never whoever used it.
  closed_by  text check (closed_by <> person),
  comment    text check (comment <> ''),
  check ((closed_at is null) = (closed_by is null)),
  check ((closed_at is null) = (comment is null))
);
create index break_glass_review_open on break_glass_review (person, due_at) where closed_at is null;

create function refuse_review_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'a use of break-glass is never forgotten' using errcode = 'check_violation';
  end if;
  if old.closed_at is not null then
    raise exception 'a review that is closed stays so' using errcode = 'check_violation';
  end if;
  if (old.id, old.grant_id, old.person, old.resource, old.role, old.reason, old.used_at, old.due_at) is distinct from
     (new.id, new.grant_id, new.person, new.resource, new.role, new.reason, new.used_at, new.due_at) then
    raise exception 'what is reviewed never changes' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal before update or delete on break_glass_review
  for each row execute function refuse_review_change();
