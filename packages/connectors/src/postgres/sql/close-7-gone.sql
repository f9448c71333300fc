-- Last step: reads back. $1: names of the logins; $2: their oids, by which sessions are known when the name is gone.
-- A row for whatever is still there.
SELECT r.rolname::text AS login, NULL AS oid, NULL::int AS pid FROM pg_roles r WHERE r.rolname = ANY ($1::text[])
UNION ALL
SELECT NULL, a.usesysid::text, a.pid FROM pg_stat_activity a WHERE a.usesysid = ANY ($2::oid[]);
