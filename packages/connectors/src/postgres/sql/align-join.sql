-- Makes a group role a member of a role of the target. membership: as in open-3-join.sql.
GRANT :"role" TO :"group" :membership;
