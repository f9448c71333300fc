-- From here to the end of the transaction the admin acts as an issuer, which is the maker of some of the logins.
-- By hand before 16: leave it out.
SET LOCAL ROLE :"issuer";
