-- Telling people: how far each webhook has got in the log.

create table webhook (
  -- As configuration calls it. There is a row for each that is declared, and for no other.
  id            text primary key,
  -- A hash of what configuration says of it. Whatever stood in its way is tried anew when that changes.
  declared      text not null,
  -- Of the first entry that it has neither got nor passed by.
  next_index    bigint not null check (next_index >= 0),
  succeeded_at  timestamptz,
  -- Attempts since the last success.
  failures      integer not null default 0 check (failures >= 0),
  failed_at     timestamptz,
  error         text,
  -- Nothing is tried before.
  due_at        timestamptz,
  -- The receiver said that it is none any more.
  off_at        timestamptz,
  -- The server that sends now, and how long it is believed to.
  sender        text,
  sender_until  timestamptz,
  check ((sender is null) = (sender_until is null)),
  check (failures = 0 or (failed_at is not null and error is not null))
);

create function refuse_webhook_return() returns trigger language plpgsql as $$
begin
  if new.next_index < old.next_index then
    raise exception 'a webhook goes on in the log and never back' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger onward before update on webhook for each row execute function refuse_webhook_return();
