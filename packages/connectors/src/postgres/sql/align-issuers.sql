-- The issuers, and roles that merely have such a name. $1: their names; $2: names of group roles.
-- `ours`: the admin may act as it. `keeps`: the groups whose members it may make.
SELECT r.rolname::text AS name, shobj_description(r.oid, 'pg_authid') AS mark,
  r.rolcanlogin OR NOT r.rolcreaterole AS misshapen,
  array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
    CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END
  ], NULL) AS attributes,
  pg_has_role(r.oid, 'SET') AS ours,
  pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') AS administered,
  ARRAY(
    SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
    WHERE m.member = r.oid AND m.admin_option AND g.rolname = ANY ($2::text[])
  ) AS keeps
FROM pg_roles r
WHERE r.rolname = ANY ($1::text[])
ORDER BY r.rolname;
