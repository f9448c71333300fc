-- A grant was shortened or extended: from this time on nobody gets in, whatever becomes of Tidegate. Sessions go on until
-- it is closed. A login that is shut stays so.
ALTER ROLE :"login" VALID UNTIL :'expires_at';
