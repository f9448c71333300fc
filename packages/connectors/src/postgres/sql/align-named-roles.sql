-- Roles that the configuration names in `memberOf`. $1: their names. `carries`: every role that comes with it.
SELECT r.rolname::text AS name,
  EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')) AS superuser,
  ARRAY(
    WITH RECURSIVE carried AS (
      SELECT r.oid
      UNION
      SELECT m.roleid FROM pg_auth_members m JOIN carried c ON c.oid = m.member
    )
    SELECT rolname::text FROM pg_roles JOIN carried USING (oid)
  ) AS carries,
  pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
    OR (current_setting('server_version_num')::int < 160000 AND NOT r.rolsuper) AS ours
FROM pg_roles r
WHERE r.rolname = ANY ($1::text[]);
