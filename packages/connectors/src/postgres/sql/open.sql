-- Opens a grant: one login that is a member of one group role and holds nothing itself.
-- By hand: psql -1 -v login=tidegate_grt_01j... -v verifier='SCRAM-SHA-256$4096:...' -v expires_at=2026-01-01T12:00:00Z
--   -v connections=5 -v search_path='"public"' -v mark='tidegate resource=orders-db grant=grt_01j...'
--   -v group=tidegate_readonly -v membership='WITH INHERIT TRUE, SET FALSE'
-- The password is never part of a statement: the verifier checks it, and does not give it away.
CREATE ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT
  CONNECTION LIMIT :connections PASSWORD :'verifier' VALID UNTIL :'expires_at';
-- What an unqualified name means at the start of a session. The holder can set another: it is no fence.
ALTER ROLE :"login" SET search_path TO :search_path;
COMMENT ON ROLE :"login" IS :'mark';
-- SET FALSE (from PostgreSQL 16 on): the login has the privileges of the group but cannot become it. Who became it could
-- make objects that belong to the group, and those would outlive the grant and be shared with the next holder.
GRANT :"group" TO :"login" :membership;
