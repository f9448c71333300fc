-- Makes an issuer: a role that nobody logs in as, and that is the maker of some of the logins instead of the admin.
CREATE ROLE :"issuer" NOLOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS INHERIT;
COMMENT ON ROLE :"issuer" IS :'mark';
