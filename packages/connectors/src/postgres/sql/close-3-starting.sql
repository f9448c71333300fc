-- Before the third step: connections in the making, of whomever. One that was let in just before the login was shut has
-- not yet put itself down in pg_stat_activity, where its session could be found, but it holds its first transaction.
-- The close waits until each of these has shown itself or gone. Before PostgreSQL 18 they have no row in
-- pg_stat_activity, from then on one without user and database.
SELECT l.virtualtransaction AS id
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.pid IS NOT NULL
  AND (a.pid IS NULL OR (a.usesysid IS NULL AND a.datid IS NULL));
