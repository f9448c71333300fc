-- The roles of the cluster and what they are, without those of Tidegate itself and those that come with PostgreSQL.
-- $1: names to leave out. Times of other people's sessions are hidden from who is not a member of pg_read_all_stats.
SELECT r.rolname::text AS name, r.rolcanlogin AS can_login, r.rolsuper AS superuser,
  array_remove(ARRAY[
    CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END
  ], NULL) AS attributes,
  r.rolvaliduntil IS NULL OR r.rolvaliduntil = 'infinity' AS never_expires,
  (
    SELECT (extract(epoch FROM max(greatest(a.backend_start, a.state_change))) * 1000)::float8
    FROM pg_stat_activity a WHERE a.usesysid = r.oid
  ) AS last_seen_at
FROM pg_roles r
WHERE r.rolname <> ALL ($1::text[]) AND NOT starts_with(r.rolname::text, 'pg_')
ORDER BY r.rolname;
