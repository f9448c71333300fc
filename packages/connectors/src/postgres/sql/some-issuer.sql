-- One of the issuers that are there and that the admin may act as. $1: their names.
SELECT r.rolname::text AS issuer FROM pg_roles r WHERE r.rolname = ANY ($1::text[]) AND pg_has_role(r.oid, 'SET')
ORDER BY random() LIMIT 1;
