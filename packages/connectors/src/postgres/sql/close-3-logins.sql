-- Also before the third step: by which oids their sessions are known. $1: names of the logins.
SELECT r.rolname::text AS login, r.oid::text AS oid FROM pg_roles r WHERE r.rolname = ANY ($1::text[]);
