-- The group roles of one resource, and roles that merely have such a name. $1: prefix; $2: beginning of a group's mark;
-- $3: names that the configuration wants. `administered`: the admin may make members of it, which it has made until someone
-- took that away.
SELECT r.rolname::text AS name, c.mark,
  r.rolcanlogin OR NOT r.rolinherit AS misshapen,
  array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
    CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
    CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END
  ], NULL) AS attributes,
  pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
    OR current_setting('server_version_num')::int < 160000 AS administered,
  ARRAY(SELECT l.rolname::text FROM pg_auth_members m JOIN pg_roles l ON l.oid = m.member WHERE m.roleid = r.oid) AS members
FROM pg_roles r
CROSS JOIN LATERAL (SELECT shobj_description(r.oid, 'pg_authid')) AS c (mark)
WHERE starts_with(r.rolname::text, $1)
  AND (starts_with(c.mark, $2) OR r.rolname = ANY ($3::text[]))
ORDER BY r.rolname;
