-- Who owns what and who was given what in this database, summed up by schema. $1: roles to leave out; $2: how many names
-- to list. `holder` is null for everyone (PUBLIC). What comes with PostgreSQL is left out, and so is what an owner has
-- as the owner. EXECUTE for everyone is too, being the default for every function.
WITH schemas AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
  WHERE nspname <> 'information_schema' AND NOT starts_with(nspname::text, 'pg_')
), things AS (
  SELECT s.nspname AS schema, c.relname::text AS name, c.relowner AS owner, c.relacl AS acl, c.oid AS relation,
    CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END AS kind
  FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT s.nspname, p.proname, p.proowner, p.proacl, NULL, 'function' FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
  UNION ALL
  SELECT s.nspname, s.nspname, s.nspowner, s.nspacl, NULL, 'schema' FROM schemas s
  UNION ALL
  SELECT NULL, d.datname, d.datdba, NULL, NULL, 'database' FROM pg_database d WHERE d.datname = current_database()
), grants AS (
  SELECT t.kind, t.schema, t.name, a.grantee, a.is_grantable,
    a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS privilege
  FROM things t CROSS JOIN LATERAL aclexplode(t.acl) a
  WHERE a.grantee <> t.owner AND NOT (t.kind = 'function' AND a.grantee = 0)
  UNION
  SELECT t.kind, t.schema, t.name, a.grantee, a.is_grantable, a.privilege_type || ' (columns)'
  FROM things t JOIN pg_attribute c ON c.attrelid = t.relation CROSS JOIN LATERAL aclexplode(c.attacl) a
  WHERE a.grantee <> t.owner
  UNION
  SELECT 'object to come', s.nspname, o.rolname::text, a.grantee, a.is_grantable, a.privilege_type
  FROM pg_default_acl d
  JOIN pg_roles o ON o.oid = d.defaclrole
  LEFT JOIN schemas s ON s.oid = d.defaclnamespace
  CROSS JOIN LATERAL aclexplode(d.defaclacl) a
  WHERE a.grantee <> d.defaclrole AND NOT (d.defaclobjtype = 'f' AND a.grantee = 0)
), given AS (
  SELECT grantee, kind, schema, name, string_agg(DISTINCT privilege, ', ' ORDER BY privilege) AS privileges
  FROM grants GROUP BY grantee, kind, schema, name
), held AS (
  SELECT 'ownership' AS standing, owner AS holder, kind, schema, name, NULL AS privileges FROM things
  UNION ALL
  SELECT 'direct-grant', grantee, kind, schema, name, privileges FROM given
)
SELECT h.standing, r.rolname::text AS holder, coalesce(r.rolcanlogin, false) AS can_login, h.kind, h.schema::text,
  h.privileges, count(*)::int AS count, (array_agg(h.name ORDER BY h.name))[:$2::int] AS names
FROM held h LEFT JOIN pg_roles r ON r.oid = h.holder
WHERE (h.holder = 0 OR r.oid IS NOT NULL)
  AND (r.rolname IS NULL OR (r.rolname <> ALL ($1::text[]) AND NOT starts_with(r.rolname::text, 'pg_')))
  AND NOT (h.standing = 'ownership' AND r.rolsuper)
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 5, 4, 6;
