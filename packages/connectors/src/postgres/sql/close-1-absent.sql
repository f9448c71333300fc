-- Instead of the first step, where there is no such login: makes sure that none is coming either. An open whose answer
-- was lost may still be waiting to commit, for a replica say. Its name is taken until then, so this waits for it,
-- and fails with duplicate_object or unique_violation if the login has come after all.
CREATE ROLE :"login" NOLOGIN;
DROP ROLE :"login";
