-- Third step, repeated until there are none: ends the sessions of the login. $1: its name.
-- pg_terminate_backend stands in the select list, which comes after the condition. As a condition itself it could be
-- evaluated first, and end the sessions of everyone.
SELECT a.pid, pg_terminate_backend(a.pid) AS asked
FROM pg_stat_activity a
WHERE a.usesysid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $1);
