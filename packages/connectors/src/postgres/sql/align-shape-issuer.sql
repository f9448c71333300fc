-- Nobody logs in as an issuer, and it makes roles.
ALTER ROLE :"issuer" NOLOGIN CREATEROLE;
