-- Which issuer made a login. $1: its name; $2: names of the issuers. No row: none of them, or there is no such login.
SELECT i.rolname::text AS issuer
FROM pg_roles r
JOIN pg_auth_members m ON m.roleid = r.oid AND m.admin_option
JOIN pg_roles i ON i.oid = m.member
WHERE r.rolname = $1 AND i.rolname = ANY ($2::text[]);
