-- Last step: reads back. $1: name of the login; $2: its oid, by which sessions are known when the name is gone.
SELECT
  EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS present,
  ARRAY(SELECT pid FROM pg_stat_activity WHERE usesysid = $2::oid) AS sessions;
