-- SET FALSE (from PostgreSQL 16 on): the login has the privileges of the group but cannot become it. Who became it could
-- make objects that belong to the group, and those would outlive the grant and be shared with the next holder.
GRANT :"group" TO :"login" :membership;
