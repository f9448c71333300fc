-- Takes from a group role what it would get on objects that a role has yet to make. scope: IN SCHEMA "..." or nothing.
ALTER DEFAULT PRIVILEGES FOR ROLE :"maker" :scope REVOKE :privileges ON :objects FROM :"group" CASCADE;
