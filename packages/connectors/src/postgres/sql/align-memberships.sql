-- What the group roles are members of. $1: their names. Before PostgreSQL 16 a membership has no options, and means all.
SELECT g.rolname::text AS "group", r.rolname::text AS role,
  m.admin_option AS admin,
  coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) AS inherit,
  coalesce((to_jsonb(m) ->> 'set_option')::boolean, false) AS set
FROM pg_auth_members m
JOIN pg_roles g ON g.oid = m.member
JOIN pg_roles r ON r.oid = m.roleid
WHERE g.rolname = ANY ($1::text[])
ORDER BY 1, 2;
