-- Removes the group role of a role that is no longer configured. PostgreSQL refuses while anything depends on it.
DROP ROLE :"group";
