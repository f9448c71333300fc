-- Who is a member of what, directly or through others. $1: members to leave out; $2: roles not to go through, which are
-- the logins of grants that the admin has claimed to close them.
-- `through` is the first role on the way; null: a direct member. `usable`: false, if it can only be passed on to others.
WITH RECURSIVE reach AS (
  SELECT m.member, m.roleid, NULL::oid AS through, ARRAY[m.roleid] AS path,
    coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
      AS usable
  FROM pg_auth_members m
  WHERE m.roleid NOT IN (SELECT oid FROM pg_roles WHERE rolname = ANY ($2::text[]))
  UNION ALL
  SELECT r.member, m.roleid, coalesce(r.through, r.roleid), r.path || m.roleid,
    r.usable AND (
      coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    )
  FROM reach r JOIN pg_auth_members m ON m.member = r.roleid
  WHERE m.roleid <> ALL (r.path)
)
SELECT h.rolname::text AS member, g.rolname::text AS role, min(t.rolname::text) AS through,
  bool_or(r.through IS NULL) AS direct, bool_or(r.usable) AS usable, g.rolsuper AS superuser,
  g.rolcreaterole OR g.rolreplication OR g.rolbypassrls OR g.rolcreatedb AS has_attributes
FROM reach r
JOIN pg_roles h ON h.oid = r.member
JOIN pg_roles g ON g.oid = r.roleid
LEFT JOIN pg_roles t ON t.oid = r.through
WHERE h.rolname <> ALL ($1::text[]) AND NOT starts_with(h.rolname::text, 'pg_')
GROUP BY h.rolname, g.oid, g.rolname, g.rolsuper, g.rolcreaterole, g.rolreplication, g.rolbypassrls, g.rolcreatedb
ORDER BY 1, 2;
