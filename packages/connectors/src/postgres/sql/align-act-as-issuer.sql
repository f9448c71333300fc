-- The admin acts as the issuer to make and to drop logins. It does not have the issuer's privileges by that: finding out
-- what they are would take the walk through all logins that issuers are there to avoid.
GRANT :"issuer" TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
