-- Makes the group role of one role of the configuration. It holds the privileges; the logins of grants are its members,
-- so that a thousand grants leave no trace in the access lists of tables.
CREATE ROLE :"group" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT;
COMMENT ON ROLE :"group" IS :'mark';
