-- What is there to be granted in some schemas of this database. $1: names of the schemas.
-- `name` of a function is its signature, quoted by PostgreSQL. `ours`: the admin may grant on it.
-- `public` of a schema: everyone may use it anyway.
SELECT 'schema' AS kind, NULL::text AS schema, n.nspname::text AS name, NULL AS plain, NULL AS arguments,
  pg_has_role(n.nspowner, 'USAGE') AS ours,
  EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'USAGE') AS public,
  ARRAY[]::text[] AS columns
FROM pg_namespace n
WHERE n.nspname = ANY ($1::text[])
UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname, NULL, NULL,
  pg_has_role(c.relowner, 'USAGE'), false,
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 'function', n.nspname, p.oid::regprocedure::text, p.proname, oidvectortypes(p.proargtypes),
  pg_has_role(p.proowner, 'USAGE'), false, ARRAY[]::text[]
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY ($1::text[])
ORDER BY 1, 2, 3;
