-- Nobody logs in as a group, and its members have what it has.
ALTER ROLE :"group" NOLOGIN INHERIT;
