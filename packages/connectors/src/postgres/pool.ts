/**
 * Connections to one target, over all its databases under one limit, which is why it is not a `pg.Pool` for each.
 * Secrets are read for each new connection, so that a rotated one is picked up.
 */

import { limits } from '../limits.ts'
import type { OpenClient, TargetClient } from './client.ts'

export type Pool = {
  /**
   * Lends a connection to `work`. It is cut if the signal aborts, and thrown away if `work` throws: in what state
   * it is then, nobody knows.
   */
  use<T>(want: Want, work: (client: TargetClient) => Promise<T>): Promise<T>
  /** Waits for the work under way; afterwards nothing is lent. */
  end(): Promise<void>
}

export type Want = {
  readonly database: string
  readonly signal: AbortSignal
  /** Comes before those that wait without it: what takes access away does not queue behind what gives it. */
  readonly urgent: boolean
}

type Idle = { readonly client: TargetClient; readonly database: string; readonly timer: NodeJS.Timeout }

export function createPool(open: OpenClient, maxConnections: number): Pool {
  const idle = new Set<Idle>()
  const running = new Set<Promise<unknown>>()
  const slots = createSlots(maxConnections)
  let lentOut = 0
  let ended = false

  const discard = async (one: Idle): Promise<void> => {
    clearTimeout(one.timer)
    idle.delete(one)
    await one.client.end().catch(() => one.client.destroy())
  }

  const take = async (database: string, signal: AbortSignal): Promise<TargetClient> => {
    for (const one of idle) {
      if (one.database === database && one.client.alive()) {
        clearTimeout(one.timer)
        idle.delete(one)
        return one.client
      }
    }
    for (const one of idle) if (!one.client.alive() || idle.size + lentOut > maxConnections) void discard(one)
    return open(database, signal)
  }

  const giveBack = (client: TargetClient, database: string): void => {
    const one: Idle = { client, database, timer: setTimeout(() => void discard(one), limits.idleConnectionMs).unref() }
    idle.add(one)
    if (ended || !client.alive()) void discard(one)
  }

  const lend = async <T>(want: Want, work: (client: TargetClient) => Promise<T>): Promise<T> => {
    const { database, signal } = want
    await slots.take(want)
    lentOut++
    try {
      const client = await take(database, signal)
      const cut = (): void => client.destroy()
      signal.addEventListener('abort', cut, { once: true })
      try {
        const result = await work(client)
        giveBack(client, database)
        return result
      } catch (error) {
        client.destroy()
        throw error
      } finally {
        signal.removeEventListener('abort', cut)
      }
    } finally {
      lentOut--
      slots.giveBack()
    }
  }

  return {
    async use(want, work) {
      if (ended) throw new Error('the connector has been ended')
      const lent = lend(want, work)
      running.add(lent)
      return lent.finally(() => running.delete(lent))
    },
    async end() {
      ended = true
      await Promise.allSettled(running)
      await Promise.all([...idle].map(discard))
    },
  }
}

type Slots = { take(want: Pick<Want, 'signal' | 'urgent'>): Promise<void>; giveBack(): void }

/** The urgent first; among equals, first come, first served. */
function createSlots(count: number): Slots {
  const urgent = new Set<() => void>()
  const patient = new Set<() => void>()
  let free = count
  return {
    async take({ signal, urgent: isUrgent }) {
      const waiting = isUrgent ? urgent : patient
      signal.throwIfAborted()
      if (free > 0) {
        free--
        return
      }
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', giveUp)
          resolve()
        }
        const giveUp = (): void => {
          waiting.delete(go)
          reject(reasonOf(signal))
        }
        waiting.add(go)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
    giveBack() {
      const [next] = [...urgent, ...patient]
      if (next === undefined) free++
      else {
        urgent.delete(next)
        patient.delete(next)
        next()
      }
    },
  }
}

const reasonOf = ({ reason }: AbortSignal): Error => (reason instanceof Error ? reason : new Error('cut short'))
