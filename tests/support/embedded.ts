/** A PostgreSQL of a test's own, for what the run's shared clusters cannot be made to do. */

export { type EmbeddedPostgres, startEmbeddedPostgres } from '../../packages/server/src/embedded/start.ts'
