-- The configured databases. $1: their names. `ours`: the admin may grant on it. `public`: everyone may connect anyway.
SELECT d.datname::text AS name, pg_has_role(d.datdba, 'USAGE') AS ours,
  EXISTS (
    SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT'
  ) AS public
FROM pg_database d
WHERE d.datname = ANY ($1::text[]);
