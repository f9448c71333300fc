-- Fifth step, in each database where the login owns or was given something: objects go to the owner, privileges go away.
-- Both in one transaction, so that DROP OWNED never finds an object.
REASSIGN OWNED BY :"login" TO :"owner";
DROP OWNED BY :"login";
