-- Third step, repeated until there are none: ends the sessions of the logins. $1: their names.
-- pg_terminate_backend stands in the select list, which comes after the condition. As a condition itself it could be
-- evaluated first, and end the sessions of everyone.
SELECT a.usesysid::text AS oid, a.pid, pg_terminate_backend(a.pid) AS asked
FROM pg_stat_activity a
WHERE a.usesysid = ANY (ARRAY(SELECT r.oid FROM pg_roles r WHERE r.rolname = ANY ($1::text[])));
