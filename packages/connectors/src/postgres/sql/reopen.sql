-- Gives a login that is there already a new secret and a new expiry. Sessions go on.
-- Attributes that only a superuser may speak of are not mentioned, not even to deny them: they are read before.
ALTER ROLE :"login" LOGIN INHERIT
  CONNECTION LIMIT :connections PASSWORD :'verifier' VALID UNTIL :'expires_at';
ALTER ROLE :"login" SET search_path TO :search_path;
ALTER ROLE :"login" SET client_connection_check_interval TO :notice_leaving;
COMMENT ON ROLE :"login" IS :'mark';
GRANT :"group" TO :"login" :membership;
