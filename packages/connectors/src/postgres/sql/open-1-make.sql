-- Opens a grant: one login that is a member of one group role and holds nothing itself. Of several that are opened
-- together, each step is done for all before the next.
-- By hand: psql -1 -v login=tidegate_grt_01j... -v verifier='SCRAM-SHA-256$4096:...' -v expires_at=2026-01-01T12:00:00Z
--   -v connections=5 -v search_path='"public"' -v notice_leaving=1000 -v mark='tidegate resource=orders-db grant=grt_01j...'
--   -v group=tidegate_readonly -v membership='WITH INHERIT TRUE, SET FALSE', with the files open-1 to open-3 in this order
-- The password is never part of a statement: the verifier checks it, and does not give it away.
CREATE ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT
  CONNECTION LIMIT :connections PASSWORD :'verifier' VALID UNTIL :'expires_at';
