-- Second step: the admin login takes the privileges of the login, which ending its sessions and handing over its objects ask for.
-- Only now, so that the admin holds nothing of a grant while it is open. Repeating it does nothing.
-- membership: 'WITH INHERIT TRUE, SET FALSE' from PostgreSQL 16 on, empty before.
GRANT :"role" TO SESSION_USER :membership;
