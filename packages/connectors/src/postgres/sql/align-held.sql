-- What the group roles hold in this database, whoever gave it. $1: their names. `ours`: the admin may revoke it.
SELECT g.rolname::text AS "group", h.kind, h.schema, h.name, h."column", h.privilege, h.grantable,
  pg_has_role(h.owner, 'USAGE') AS ours
FROM pg_roles g
JOIN (
  SELECT a.grantee, CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname::text AS schema,
    c.relname::text AS name, NULL::text AS "column", a.privilege_type AS privilege, a.is_grantable AS grantable,
    c.relowner AS owner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
  UNION ALL
  SELECT a.grantee, 'table', n.nspname, c.relname, t.attname, a.privilege_type, a.is_grantable, c.relowner
  FROM pg_attribute t
  JOIN pg_class c ON c.oid = t.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL aclexplode(t.attacl) a
  UNION ALL
  SELECT a.grantee, 'schema', NULL, n.nspname, NULL, a.privilege_type, a.is_grantable, n.nspowner
  FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
  UNION ALL
  SELECT a.grantee, 'function', n.nspname, p.oid::regprocedure::text, NULL, a.privilege_type, a.is_grantable, p.proowner
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(p.proacl) a
  UNION ALL
  SELECT a.grantee, 'database', NULL, d.datname, NULL, a.privilege_type, a.is_grantable, d.datdba
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a
  UNION ALL
-- What ALTER DEFAULT PRIVILEGES would give on objects to come: here `name` is the role that will make them and
-- `column` the kind of object.
  SELECT a.grantee, 'default', n.nspname, o.rolname,
    CASE d.defaclobjtype
      WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
      WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS'
    END, a.privilege_type, a.is_grantable, d.defaclrole
  FROM pg_default_acl d
  JOIN pg_roles o ON o.oid = d.defaclrole
  LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  CROSS JOIN LATERAL aclexplode(d.defaclacl) a
  WHERE a.grantee <> d.defaclrole
) h ON h.grantee = g.oid
WHERE g.rolname = ANY ($1::text[])
ORDER BY 1, 2, 3, 4, 5, 6;
