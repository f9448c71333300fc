/** Clients that speak the protocol by hand: they cost next to nothing beside what is measured, and see the last byte. */

import { randomBytes, randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import { postgresLimits, serverMessages } from '../packages/gateway/src/postgres/limits.ts'
import { openTarget } from '../packages/gateway/src/postgres/shell/target.ts'
import { createBudget, createFramer, rulesOf } from '../packages/gateway/src/postgres/wire/framer.ts'
import { query } from '../packages/gateway/src/postgres/wire/write.ts'
import { type Login, type Moment, moment } from './access.ts'
import { numbers } from './harness.ts'

export type RawClient = {
  /** By which the other side knows it. */
  readonly port: number
  /** Resolves when the answer is there as a whole. */
  readonly say: (sql: string) => Promise<void>
  /** Says one of them after the other, at random: from here on there is always something under way. */
  readonly keepSaying: (sqls: readonly string[]) => void
  /** When this end saw the last byte: the connection ended under it. */
  readonly cut: Promise<Moment>
  readonly drop: () => void
}

/**
 * Of who is busy: said one after the other, one is always under way, and some five times a second there are rows, a result
 * and the next one. They take 0.1 to 0.3 s: if all took the same, one moment in which nobody got a processor would line all
 * sessions up, to speak at one instant ever after.
 */
export const statements = numbers(64).map((i) => `select pg_sleep(${0.1 + (0.2 * i) / 63})`)

/** Between hearing that the other side has closed and closing. */
const closingMs = 20

export async function connectRaw({ password: secret, ...where }: Login): Promise<RawClient> {
  const { socket } = await openTarget({
    target: { ...where, secret, tls: 'disable' },
    parameters: new Map(),
    random: randomBytes,
    signal: new AbortController().signal,
  })
  const cut = new Promise<Moment>((resolve) => {
    for (const event of ['end', 'close'] as const) socket.once(event, () => resolve(moment()))
  })
  // Clients elsewhere close with processors of their own: here that would come before the next one hears that it is cut.
  socket.allowHalfOpen = true
  void cut.then(() => setTimeout(() => socket.destroy(), closingMs))
  const onReady = listen(socket)
  const say = async (sql: string): Promise<void> => {
    const ready = new Promise<void>((resolve) => onReady(resolve))
    socket.write(query(sql))
    const isCut = await Promise.race([ready, cut])
    if (isCut !== undefined) throw new Error('The connection ended before the answer.')
  }
  return {
    port: socket.localPort ?? 0,
    say,
    keepSaying(sqls) {
      const queries = sqls.map(query)
      const again = (): void => {
        onReady(again)
        socket.write(queries[randomInt(queries.length)] ?? '')
      }
      again()
    },
    cut,
    drop: () => void socket.destroy(),
  }
}

const rules = rulesOf(serverMessages)
const readyForQuery = 'Z'.charCodeAt(0)

/** Calls back at the next ReadyForQuery. */
function listen(socket: Socket): (callback: () => void) => void {
  const framer = createFramer(rules, createBudget(postgresLimits.gatheredSizeBytes))
  let waiting: (() => void) | undefined
  const hear = (chunk: Buffer): void => {
    framer.push(chunk)
    for (let piece = framer.next(); piece !== 'none'; piece = framer.next()) {
      if (piece === 'violation') throw new Error(framer.violation)
      if (framer.type !== readyForQuery) continue
      const callback = waiting
      waiting = undefined
      callback?.()
    }
  }
  socket.on('data', hear)
  return (callback) => {
    waiting = callback
  }
}
