-- A grant was shortened: from this time on nobody gets in, whatever becomes of Tidegate. Sessions go on until it is closed.
ALTER ROLE :"login" VALID UNTIL :'expires_at';
