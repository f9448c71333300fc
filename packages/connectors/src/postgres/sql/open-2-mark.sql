-- What an unqualified name means at the start of a session. The holder can set another: it is no fence.
ALTER ROLE :"login" SET search_path TO :search_path;
-- What runs ends when whoever asked for it is gone, and not when it is done. 0: this target cannot tell.
ALTER ROLE :"login" SET client_connection_check_interval TO :notice_leaving;
COMMENT ON ROLE :"login" IS :'mark';
