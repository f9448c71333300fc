-- Sixth step. PostgreSQL itself refuses while anything anywhere still depends on the login.
DROP ROLE :"login";
