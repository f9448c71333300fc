-- Before the first step: which of the logins are there, by which oids their sessions are known, and which issuers made
-- them. $1: names of the logins; $2: names of the issuers.
SELECT r.rolname::text AS login, r.oid::text AS oid,
  (
    SELECT i.rolname::text FROM pg_auth_members m JOIN pg_roles i ON i.oid = m.member
    WHERE m.roleid = r.oid AND m.admin_option AND i.rolname = ANY ($2::text[])
    LIMIT 1
  ) AS issuer
FROM pg_roles r WHERE r.rolname = ANY ($1::text[]);
