/**
 * A transaction on one connection, whose statements are sent as they come and carried out in that order. Kysely's own
 * holds each back until the one before is answered, so that ten statements are ten round trips.
 */

import type { Dialect, Driver } from 'kysely'
import {
  CompiledQuery,
  DummyDriver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  Transaction,
} from 'kysely'
import type { Database, Tables, Tx } from './database.ts'

/** Of the statements nobody waited for: told at the end, before the commit is believed. */
export type Work<T> = { readonly result: T; readonly sent: Promise<unknown> }

/** What a transaction of ours never uses of Kysely: it has its connection, and compiles with the database's executor. */
const driver: Driver = new DummyDriver()
const dialect: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => driver,
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
}

/**
 * The commit follows what was sent without waiting for it: PostgreSQL rolls back instead where a statement has failed,
 * and the failure is thrown here.
 */
export async function transaction<T>(db: Database, work: (tx: Tx) => Promise<Work<T>>): Promise<T> {
  const outer = db.getExecutor()
  return outer.provideConnection(async (connection) => {
    const executor = outer.withConnectionProvider({ provideConnection: (consumer) => consumer(connection) })
    const say = (text: string): Promise<unknown> => connection.executeQuery(CompiledQuery.raw(text))
    await say('begin')
    let done: Work<T>
    try {
      done = await work(new Transaction<Tables>({ config: { dialect }, dialect, driver, executor }))
    } catch (error) {
      await say('rollback')
      throw error
    }
    const outcomes = await Promise.allSettled([done.sent, say('commit')])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return done.result
  })
}
