/**
 * The store: a real PostgreSQL behind connections that fail. A process has pools of its own; each of their statements
 * is a point of its strand.
 */

import type pg from 'pg'
import { createLogger } from '@tidegate/server'
import type { Database } from '../../packages/server/src/store/database.ts'
import { createDatabase, createPool } from '../../packages/server/src/store/database.ts'
import type { Effect, FaultKind, Strand, Struck } from './strands.ts'
import { currentStrand, pass } from './strands.ts'

/** As in `createPool`: PostgreSQL ends a transaction whose client is silent for longer. */
export const silentTransactionMs = 45_000

/** Of the real pools there is less here, so that running out of connections is something that happens. */
const poolSizes = { db: 4, workDb: 5 } as const

type Connection = {
  /** Absent: the connection is lost. */
  real: pg.PoolClient | undefined
  readonly process: number
  readonly strand: Strand
  inTransaction: boolean
  /** Since when its client has said nothing, in simulated time. */
  heardAt: number
  busy: boolean
}

export type Store = {
  /** For what the simulation reads and writes itself, past every process. */
  readonly admin: pg.PoolClient
  /** The same, as the server's own code takes it. */
  readonly adminDb: Database
  readonly openProcess: (process: number) => { readonly db: Database; readonly workDb: Database }
  /** Its connections are gone: transactions are rolled back, locks let go of. */
  readonly crashProcess: (process: number) => Promise<void>
  /** Ends the transactions that have been silent for too long. */
  readonly endSilent: () => Promise<void>
  /** Statements that a fault has held up, and that arrive after all. */
  readonly ghosts: (() => Promise<void>)[]
  /** For the next history. */
  readonly reset: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What a planted bug makes of a statement. */
export type Tampering =
  /** It is answered as done, and is not. */
  | { readonly as: 'left-out' }
  /** It is done at once, in a transaction of its own. */
  | { readonly as: 'apart' }
  /** It is answered with other rows. */
  | { readonly as: 'misread'; readonly rows: (rows: readonly Row[]) => readonly Row[] }
  /** It is sent with other values. */
  | { readonly as: 'miswritten'; readonly values: unknown[] }

export type Row = Readonly<Record<string, unknown>>

export type Statement = { readonly text: string; readonly values: unknown[]; readonly strand: string }
export type Tamper = (statement: Statement) => Tampering | undefined

type Config = { readonly url: string; readonly now: () => number; readonly tamper: () => Tamper | undefined }

const connectionLost = (): Error => new Error('Connection terminated unexpectedly')
const refused = `do $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$`

export async function openStore({ url, now, tamper }: Config): Promise<Store> {
  const log = createLogger('silent')
  const pool = createPool({ url, maxConnections: 80, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000, log })
  const admin = await pool.connect()
  const watcher = await pool.connect()
  const idle: pg.PoolClient[] = await Promise.all(Array.from({ length: 30 }, () => pool.connect()))
  const ours = new Set([...idle].map(pidOf))
  const ghosts: (() => Promise<void>)[] = []
  let connections: Connection[] = []

  const giveBack = async (real: pg.PoolClient): Promise<void> => {
    await real.query('rollback')
    idle.push(real)
  }

  /** The client is cut off; the store notices at once, and rolls back. */
  const cut = async (connection: Connection): Promise<void> => {
    const { real } = connection
    if (!real) return
    connection.real = undefined
    connections = connections.filter((one) => one !== connection)
    connection.strand.struck.push('cut')
    if (connection.busy) await watcher.query('select pg_cancel_backend($1)', [pidOf(real)])
    // Queued behind the statement that was cancelled.
    await giveBack(real)
  }

  const holdersBefore = async (real: pg.PoolClient): Promise<number[]> => {
    const { rows } = await watcher.query<{ pids: number[] }>('select pg_blocking_pids($1) as pids', [pidOf(real)])
    return rows[0]?.pids.filter((pid) => ours.has(pid)) ?? []
  }

  const send = (connection: Connection, text: string, values: unknown[] | undefined): Promise<pg.QueryResult> => {
    const verb = text.trim().split(/\s/, 1)[0]?.toLowerCase() ?? ''
    const ends = verb === 'commit' || verb === 'rollback'
    const run = async (): Promise<unknown> => {
      const { real } = connection
      if (!real) throw connectionLost()
      connection.heardAt = now()
      if (verb === 'begin') connection.inTransaction = true
      if (ends) connection.inTransaction = false
      const tampering = tamper()?.({ text, values: values ?? [], strand: connection.strand.name })
      if (tampering?.as === 'left-out') return { command: verb.toUpperCase(), rowCount: 1, rows: [] }
      if (tampering?.as === 'apart') return admin.query(text, values)
      connection.busy = true
      try {
        const result = await real.query(text, tampering?.as === 'miswritten' ? tampering.values : values)
        return tampering?.as === 'misread' ? { ...result, rows: tampering.rows(result.rows as Row[]) } : result
      } finally {
        connection.busy = false
      }
    }
    const strike = async (how: FaultKind): Promise<Struck> => {
      const { real } = connection
      if (!real) return { as: 'throw', error: connectionLost() }
      switch (how) {
        case 'refused': {
          // Nothing refuses to be rolled back.
          if (verb === 'rollback') return { as: 'run' }
          const error = await real.query(refused).then(connectionLost, (cause: Error) => cause)
          if (ends) connection.inTransaction = false
          if (ends) await real.query('rollback')
          return { as: 'throw', error }
        }
        case 'late':
          if (verb === 'commit') {
            connection.real = undefined
            connections = connections.filter((one) => one !== connection)
            ghosts.push(async () => {
              await real.query('commit')
              await giveBack(real)
            })
            return { as: 'throw', error: connectionLost() }
          }
          await cut(connection)
          return { as: 'throw', error: connectionLost() }
        case 'lost-before':
        case 'lost-after':
          await cut(connection)
          return { as: 'throw', error: connectionLost() }
        case 'crash-before':
        case 'crash-after':
          return { as: 'crash' }
      }
    }
    const effect: Effect = {
      label: summary(text),
      lane: connection,
      run,
      strike,
      locks: {
        waitsFor: async () => (connection.real ? holdersBefore(connection.real) : []),
        self: () => (connection.real ? pidOf(connection.real) : 0),
        giveUp: async () => {
          if (connection.real) await watcher.query('select pg_cancel_backend($1)', [pidOf(connection.real)])
        },
      },
      commits: verb === 'commit',
      releases: ends,
    }
    return pass<pg.QueryResult>(effect)
  }

  const openPool = (process: number, size: number): pg.Pool => {
    let open = 0
    const queue: (() => void)[] = []
    const take = (): object => {
      open++
      const real = idle.pop()
      if (!real) throw new Error('The simulation has run out of real connections.')
      const connection: Connection = {
        real,
        process,
        strand: currentStrand(),
        inTransaction: false,
        heardAt: now(),
        busy: false,
      }
      connections.push(connection)
      return {
        query: (text: string, values?: unknown[]) => send(connection, text, values),
        release() {
          open--
          connections = connections.filter((one) => one !== connection)
          if (connection.real) idle.push(connection.real)
          connection.real = undefined
          queue.shift()?.()
        },
      }
    }
    const connect = async (): Promise<object> => {
      if (open < size && queue.length === 0) return take()
      const strand = currentStrand()
      strand.queued++
      await new Promise<void>((resolve) => void queue.push(resolve))
      strand.queued--
      return take()
    }
    return { connect, end: async () => undefined } as unknown as pg.Pool
  }

  return {
    admin,
    adminDb: createDatabase({
      connect: async () => ({
        query: (text: string, values: unknown[]) => admin.query(text, values),
        release: () => undefined,
      }),
      end: async () => undefined,
    } as unknown as pg.Pool),
    openProcess: (process) => ({
      db: createDatabase(openPool(process, poolSizes.db)),
      workDb: createDatabase(openPool(process, poolSizes.workDb)),
    }),
    async crashProcess(process) {
      for (const connection of connections.filter((one) => one.process === process)) await cut(connection)
    },
    async endSilent() {
      const silent = connections.filter(
        ({ inTransaction, busy, heardAt }) => inTransaction && !busy && now() - heardAt >= silentTransactionMs,
      )
      for (const connection of silent) await cut(connection)
    },
    ghosts,
    async reset() {
      for (const ghost of ghosts.splice(0)) await ghost()
      for (const connection of connections.slice()) await cut(connection)
      await admin.query(emptied)
    },
    async close() {
      for (const client of [admin, watcher, ...idle, ...connections.flatMap(({ real }) => real ?? [])]) client.release()
      await pool.end()
    },
  }
}

const pidOf = (client: pg.PoolClient): number => (client as unknown as { processID: number }).processID

const summary = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').replaceAll('"', '').slice(0, 60)

/** Everything but the installation and the first configuration. Entries do not let themselves be deleted: triggers are off. */
const emptied = `
  set session_replication_role = replica;
  delete from break_glass_review; delete from access_grant; delete from access_request; delete from approval; delete from decision; delete from signal;
  delete from configuration_change; delete from configuration_version where version > 1; delete from finding;
  delete from idempotency; delete from audit_disclosure; delete from audit_entry; delete from audit_tile;
  delete from audit_checkpoint; delete from target_state;
  set session_replication_role = origin;
`
