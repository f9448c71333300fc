-- What a group role owns goes to the owner: a group holds what the configuration says, and nothing of its own.
REASSIGN OWNED BY :"group" TO :"owner";
