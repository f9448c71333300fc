-- The logins that Tidegate made for one resource.
-- $1: prefix of a grant's login; $2: beginning of its mark, to which the grant's id is added; $3: beginning of a group's mark.
-- A login whose mark was lost is known by its group. One that carries the mark of another resource is not ours.
SELECT r.rolname::text AS login,
  (extract(epoch FROM r.rolvaliduntil) * 1000)::float8 AS expires_at,
  (SELECT count(*)::int FROM pg_stat_activity a WHERE a.usesysid = r.oid) AS sessions
FROM pg_roles r
CROSS JOIN LATERAL (SELECT shobj_description(r.oid, 'pg_authid')) AS c (mark)
WHERE starts_with(r.rolname::text, $1)
  AND (
    c.mark = $2 || substr(r.rolname::text, length($1) - 3)
    OR (
      (c.mark IS NULL OR NOT starts_with(c.mark, 'tidegate resource='))
      AND EXISTS (
        SELECT FROM pg_auth_members m
        WHERE m.member = r.oid AND starts_with(shobj_description(m.roleid, 'pg_authid'), $3)
      )
    )
  )
ORDER BY r.rolname;
