-- Ends a grant, first step: no new session from here on. It has to be committed by itself before sessions are ended:
-- a login that could still be used while its sessions are being ended would let the holder back in between.
ALTER ROLE :"login" NOLOGIN;
