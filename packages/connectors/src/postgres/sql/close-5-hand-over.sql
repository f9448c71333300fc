-- Fifth step, in each database where the role owns or was given something: objects go to the owner, privileges go away.
-- Both in one transaction, so that DROP OWNED never finds an object.
REASSIGN OWNED BY :"role" TO :"owner";
DROP OWNED BY :"role";
