-- Ends a grant, first step: no new session from here on. It has to be committed by itself before sessions are ended:
-- a login that could still be used while its sessions are being ended would let the holder back in between.
-- By hand: psql -1. It does not wait for long: the holder can hold it up with an ALTER ROLE ... PASSWORD of its own that it never commits.
SET LOCAL lock_timeout = '500ms';
ALTER ROLE :"login" NOLOGIN;
