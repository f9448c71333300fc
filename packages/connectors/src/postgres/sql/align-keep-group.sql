-- Lets issuers make members of a group role, without being one. issuers: a list of names.
GRANT :"group" TO :issuers WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
