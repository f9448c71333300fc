/**
 * One connection, on which statements are sent as they come and carried out in that order, in a transaction or outside.
 * Kysely's own holds each back until the one before is answered, so that ten statements are ten round trips.
 */

import type { DatabaseConnection, Dialect, Driver, QueryExecutor, QueryResult } from 'kysely'
import {
  CompiledQuery,
  DummyDriver,
  Kysely,
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

/** PostgreSQL's answer to every statement after one that failed. */
const transactionAborted = '25P02'

/**
 * The commit follows what was sent without waiting for it: PostgreSQL rolls back instead where a statement has failed,
 * and the failure is thrown here. Where several fail it is the first, which is the reason of the others.
 */
export async function transaction<T>(db: Database, work: (tx: Tx) => Promise<Work<T>>): Promise<T> {
  const outer = db.getExecutor()
  return outer.provideConnection(async (connection) => {
    const failures: unknown[] = []
    const watched = watch(connection, { onFailure: (error) => failures.push(error) })
    const executor = through(outer, watched.connection)
    const say = (text: string): Promise<unknown> => connection.executeQuery(CompiledQuery.raw(text))
    const reasonOf = (error: unknown): unknown => (codeOf(error) === transactionAborted ? failures[0] : error)
    await say('begin')
    let done: Work<T>
    try {
      done = await work(new Transaction<Tables>({ config: { dialect }, dialect, driver, executor }))
    } catch (error) {
      watched.close()
      // Where it cannot be said, the connection is gone, and the transaction with it.
      await say('rollback').catch(() => undefined)
      throw reasonOf(error)
    }
    watched.close()
    const outcomes = await Promise.allSettled([done.sent, say('commit')])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw reasonOf(outcome.reason)
    return done.result
  })
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

/**
 * Reads that do not rest on one another, each by itself, in one round trip: whoever asks for several does it before it
 * waits for any. The connection is given back when all of them are answered.
 */
export async function together<T>(db: Database, work: (reader: Database) => Promise<T>): Promise<T> {
  const outer = db.getExecutor()
  return outer.provideConnection(async (connection) => {
    const sent: Promise<unknown>[] = []
    const watched = watch(connection, { onSent: (answer) => sent.push(answer) })
    const executor = through(outer, watched.connection)
    try {
      return await work(new Kysely<Tables>({ config: { dialect }, dialect, driver, executor }))
    } finally {
      watched.close()
      await Promise.allSettled(sent)
    }
  })
}

const through = (outer: QueryExecutor, connection: DatabaseConnection): QueryExecutor =>
  outer.withConnectionProvider({ provideConnection: (consumer) => consumer(connection) })

type Watching = {
  /** In the order in which they happened, which is that of the statements. */
  readonly onFailure?: (error: unknown) => void
  readonly onSent?: (answer: Promise<unknown>) => void
}

type Watched = {
  readonly connection: DatabaseConnection
  /**
   * Nothing more is said. Of several that went on at once one may have failed, and another says its next statement only
   * then: it would be said outside the transaction, or within one of somebody else.
   */
  readonly close: () => void
}

function watch(connection: DatabaseConnection, { onFailure, onSent }: Watching): Watched {
  let isOver = false
  const execute = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    if (isOver) throw new Error('This statement comes after the end of what it belongs to, and was not said.')
    try {
      return await connection.executeQuery<R>(query)
    } catch (error) {
      onFailure?.(error)
      throw error
    }
  }
  return {
    connection: {
      executeQuery: <R>(query: CompiledQuery) => {
        const answer = execute<R>(query)
        onSent?.(answer)
        return answer
      },
      streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
    },
    close: () => void (isOver = true),
  }
}
