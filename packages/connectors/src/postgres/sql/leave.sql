-- Takes a role out of another.
REVOKE :"group" FROM :"member";
