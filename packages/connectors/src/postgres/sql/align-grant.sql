-- Gives a group role privileges on one object.
GRANT :privileges ON :object TO :"group";
