-- From here on the admin acts as itself again: for logins that no issuer made.
SET LOCAL ROLE NONE;
