/** Listens for wake-ups from other processes. A broken connection is made anew; what was missed is found by looking. */

import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import type { KeyId } from '../secrets/keys.ts'
import type { Hint } from './change.ts'
import { channel, parseHint } from './change.ts'
import type { Reader } from './database.ts'

export type Hints = { readonly stop: () => Promise<void> }

type Config = {
  readonly url: string
  readonly log: Logger
  /** Also called without a hint after each reconnection: something may have been missed. */
  readonly heard: (hint: Hint | undefined) => void
  /** How often the connection is asked whether it is still there, and how long it may take to say so. */
  readonly beatMs?: number
  /** Of the master keys that this server can open with: those who start can see who cannot. */
  readonly keys: readonly KeyId[]
}

const nameOfListener = 'tidegate-hints'

const retryMs = 1_000
const endWithinMs = 2_000

/** Nobody says anything on this connection for hours, so only asking tells silence from a network that is gone. */
const usualBeatMs = 10_000

export function listenForHints({ url, log, heard, keys, beatMs = usualBeatMs }: Config): Hints {
  let stopped = false
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let beat: NodeJS.Timeout | undefined

  const connect = async (): Promise<void> => {
    const mine = new pg.Client({
      connectionString: url,
      application_name: [nameOfListener, ...keys].join(' '),
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: beatMs,
    })
    client = mine
    let over = false
    const retry = (error?: Error): void => {
      if (over) return
      over = true
      clearInterval(beat)
      if (error) log.warn({ err: error }, 'the hint connection broke; hints are missed until it is back')
      void quietEnd(mine)
      if (!stopped) timer = setTimeout(() => void connect(), retryMs)
    }
    mine.on('error', retry)
    mine.on('end', () => retry())
    mine.on('notification', ({ payload }) => {
      const hint = parseHint(payload)
      if (hint) heard(hint)
    })
    try {
      await mine.connect()
      await mine.query(`listen ${channel}`)
      if (!stopped) beat = setInterval(() => void mine.query('select 1').catch(retry), beatMs)
      heard(undefined)
    } catch (error) {
      retry(error as Error)
    }
  }

  void connect()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      clearInterval(beat)
      // The other end of a network that is gone does not say goodbye.
      if (client) await Promise.race([quietEnd(client), delay(endWithinMs, undefined, { ref: false })])
    },
  }
}

/** Of each server that listens now the master keys that it was given. It has one connection for that, which says so. */
export async function keysOfServers(reader: Reader): Promise<readonly (readonly string[])[]> {
  const { rows } = await sql<{ name: string }>`
    select application_name as name from pg_stat_activity
    where datname = current_database() and split_part(application_name, ' ', 1) = ${nameOfListener}`.execute(reader)
  return rows.map(({ name }) => name.split(' ').slice(1))
}

/** A connection that is broken cannot be ended in order, and need not be. */
async function quietEnd(client: pg.Client): Promise<void> {
  await client.end().catch(() => undefined)
}
