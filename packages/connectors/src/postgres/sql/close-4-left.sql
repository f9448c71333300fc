-- Fourth step: what stands in the way of dropping a role. $1: its name.
-- `database` is null for what belongs to the cluster as a whole.
SELECT 'objects' AS kind, d.datname::text AS database, NULL AS name,
  coalesce(d.datallowconn AND has_database_privilege(d.oid, 'CONNECT'), true) AS reachable
FROM pg_roles r
JOIN (SELECT DISTINCT refobjid, dbid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass) s ON s.refobjid = r.oid
LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE r.rolname = $1
UNION ALL
SELECT 'prepared', database::text, gid, true FROM pg_prepared_xacts WHERE owner = $1;
