-- What an unqualified name means at the start of a session. The holder can set another: it is no fence.
ALTER ROLE :"login" SET search_path TO :search_path;
COMMENT ON ROLE :"login" IS :'mark';
