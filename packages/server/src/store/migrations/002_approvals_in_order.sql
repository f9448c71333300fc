-- In which order approvals were given. Their times do not say: two servers have two clocks, and two answers one millisecond.
alter table approval add column serial bigint generated always as identity;
