-- What group roles have that the configuration has no words for: objects they own, privileges on other kinds of objects,
-- and anything in databases that are not configured. $1: names of the roles; $2: names of the configured databases.
SELECT g.rolname::text AS "group",
  CASE WHEN s.dbid NOT IN (0, this.oid) THEN 'elsewhere' WHEN s.deptype = 'o' THEN 'owned' ELSE 'other' END AS kind,
  CASE WHEN s.dbid IN (0, this.oid) THEN pg_describe_object(s.classid, s.objid, s.objsubid) ELSE d.datname::text END AS what
FROM pg_shdepend s
JOIN pg_roles g ON g.oid = s.refobjid
JOIN pg_database this ON this.datname = current_database()
LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass
  AND g.rolname = ANY ($1::text[])
  AND (
-- What a group would give on objects that it makes is left alone: it makes none.
    (s.dbid IN (0, this.oid) AND s.deptype = 'o' AND s.classid <> 'pg_default_acl'::regclass)
    OR (
      s.dbid IN (0, this.oid) AND s.deptype = 'a'
      AND s.classid NOT IN (
        'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_proc'::regclass, 'pg_database'::regclass,
        'pg_default_acl'::regclass
      )
    )
    OR (s.dbid NOT IN (0, this.oid) AND d.datname <> ALL ($2::text[]))
  )
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;
