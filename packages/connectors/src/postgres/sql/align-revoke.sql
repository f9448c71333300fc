-- Takes privileges on one object from a group role, and from whoever got them through it.
REVOKE :privileges ON :object FROM :"group" CASCADE;
