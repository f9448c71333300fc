-- Fourth step: what stands in the way of dropping roles. $1: their names.
-- `database` is null for what belongs to the cluster as a whole.
SELECT r.rolname::text AS role, 'objects' AS kind, d.datname::text AS database, NULL AS name,
  coalesce(d.datallowconn AND has_database_privilege(d.oid, 'CONNECT'), true) AS reachable
FROM pg_roles r
CROSS JOIN LATERAL (
  SELECT DISTINCT dbid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid
) s
LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE r.rolname = ANY ($1::text[])
UNION ALL
SELECT owner::text, 'prepared', database::text, gid, true FROM pg_prepared_xacts WHERE owner = ANY ($1::text[]);
