/**
 * How long access outlives its end: from `expiresAt`, or from the sending of a revoke, to the last byte on a connection
 * that was open. Beside it the least SQL that closes as many logins by hand, due at the same times.
 */

import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { targetLimits } from '../packages/server/src/targets/limits.ts'
import type { Ended, EndWatch, Opened, Session } from './access.ts'
import { closeByHand, holdSession, moment, openByHand, openThroughTidegate, watchEnds } from './access.ts'
import type { Bench, Row } from './harness.ts'
import { against, inParallel, numbers, rowOf } from './harness.ts'
import type { Stand } from './stand.ts'
import { setUp } from './stand.ts'

/** Openings and revokes under way at once. */
const width = 16
/** All that end by the clock end within this. */
const withinMs = 1_000
/** Revoked one after the other, while the others are live. */
const oneByOne = 50

export const close: Bench = {
  name: 'close',
  about: 'the end of a grant to the last byte on its open connection',
  async run(options) {
    const sizes = options.quick ? [1, 10, 50] : [1, 100, 500]
    const rounds = options.rounds ?? (options.quick ? 2 : 40)
    const stand = await setUp(options)
    const watch = watchEnds(stand.store.client, 20)
    // As many connections as Tidegate's connector has.
    const byHand = new pg.Pool({
      ...stand.target.connection,
      database: 'orders',
      max: targetLimits.connector.maxConnections,
    })
    try {
      await inParallel(numbers(width), width, () => byHand.query('select 1'))
      const bench = { stand, watch, byHand }
      await expire(bench, width)
      const rows: Row[] = []
      for (const live of sizes) {
        options.note(`${live} live`)
        rows.push(...(await ofSize(bench, live, live === 1 ? rounds : 1)))
      }
      return rows
    } finally {
      await watch.stop()
      await byHand.end()
      await stand.close()
    }
  },
}

type Standing = { readonly stand: Stand; readonly watch: EndWatch; readonly byHand: pg.Pool }

/** In ms, one for each grant. */
type Late = { readonly cut: readonly number[]; readonly readBack: readonly number[] }

async function ofSize(bench: Standing, live: number, rounds: number): Promise<Row[]> {
  const found = { expiry: [] as Late[], revoke: [] as Late[], single: [] as Late[] }
  const bare = { due: [] as number[], called: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    bare.due.push(...(await byHandWhenDue(bench, live)))
    found.expiry.push(await expire(bench, live))
    bare.called.push(...(await byHandCalled(bench, live)))
    const { all, single } = await revoke(bench, live)
    found.revoke.push(all)
    found.single.push(single)
  }
  const of = (list: readonly Late[], what: keyof Late): readonly number[] => list.flatMap((one) => one[what])
  const grants = live === 1 ? '1 live' : `${live} live, all within ${withinMs / 1_000} s`
  const called = live === 1 ? '1 live' : `${live} live, ${width} calls at a time`
  const bareDue = rowOf(`by hand, when due, ${grants}`, bare.due)
  const bareCalled = rowOf(`by hand, when called, ${called}`, bare.called)
  return [
    bareDue,
    against(rowOf(`expiry to last byte, ${grants}`, of(found.expiry, 'cut')), bareDue),
    rowOf(`expiry to read back, ${grants}`, of(found.expiry, 'readBack')),
    bareCalled,
    against(rowOf(`revoke to last byte, ${called}`, of(found.revoke, 'cut')), bareCalled),
    rowOf(`revoke to read back, ${called}`, of(found.revoke, 'readBack')),
    ...(live === 1 ? [] : [rowOf(`revoke to last byte, ${live} live, one at a time`, of(found.single, 'cut'))]),
  ]
}

type Live = { readonly opened: Opened; readonly session: Session; readonly ended: Promise<Ended> }

async function live({ stand, watch }: Standing, count: number, duration: () => string): Promise<Live[]> {
  return inParallel(numbers(count), width, async (i) => {
    const client = stand.people[i % stand.people.length] ?? stand.alice
    const opened = await openThroughTidegate(client, duration())
    return { opened, session: await holdSession(opened.login), ended: watch.ended(opened.grant) }
  })
}

/** Opened one after the other, each for as long as is left, so that all end within the same second. */
async function expire(bench: Standing, count: number): Promise<Late> {
  const at = Date.now() + 1_500 + count * 40
  const duration = (): string => `${Math.max(1, Math.ceil((at - Date.now()) / 1_000))}s`
  const all = await live(bench, count, duration)
  const late = await Promise.all(
    all.map(async ({ opened, session, ended }) => ({
      cut: (await session.cut).epochMs - opened.expiresAt,
      readBack: (await ended).endedAt - opened.expiresAt,
    })),
  )
  return { cut: late.map(({ cut }) => cut), readBack: late.map(({ readBack }) => readBack) }
}

async function revoke(bench: Standing, count: number): Promise<{ all: Late; single: Late }> {
  const extra = count === 1 ? 0 : oneByOne
  const all = await live(bench, count + extra, () => '1h')
  const revokeOne = async ({ opened, session, ended }: Live) => {
    const called = moment()
    await bench.stand.administrator.revokeGrant({ id: opened.grant, reason: 'Benchmark' })
    return async () => ({
      cut: (await session.cut).ms - called.ms,
      readBack: (await ended).endedAt - called.epochMs,
    })
  }
  const single: { cut: number; readBack: number }[] = []
  for (const one of all.slice(0, extra)) single.push(await (await revokeOne(one))())
  const asked = await inParallel(all.slice(extra), width, revokeOne)
  const rest = await Promise.all(asked.map((one) => one()))
  const late = (list: typeof single): Late => ({
    cut: list.map(({ cut }) => cut),
    readBack: list.map(({ readBack }) => readBack),
  })
  return { all: late(rest), single: late(single) }
}

type Held = { readonly user: string; readonly session: Session }

async function heldByHand({ stand, byHand }: Standing, count: number): Promise<Held[]> {
  return inParallel(numbers(count), width, async () => {
    const login = await openByHand(byHand, stand)
    return { user: login.user, session: await holdSession(login) }
  })
}

/** Due evenly over the time in which Tidegate's are due, and worked on in that order. */
async function byHandWhenDue(bench: Standing, count: number): Promise<number[]> {
  const held = await heldByHand(bench, count)
  const begun = performance.now() + 50
  const dueOf = (i: number): number => begun + (i / count) * withinMs
  const closing = inParallel(held, targetLimits.connector.maxConnections, async ({ user }, i) => {
    await delay(Math.max(0, dueOf(i) - performance.now()))
    await closeByHand(bench.byHand, user)
  })
  const cuts = await Promise.all(held.map(({ session }) => session.cut))
  await closing
  return cuts.map(({ ms }, i) => ms - dueOf(i))
}

async function byHandCalled(bench: Standing, count: number): Promise<number[]> {
  const held = await heldByHand(bench, count)
  return inParallel(held, width, async ({ user, session }) => {
    const called = performance.now()
    // The pool lends its connections statement by statement; one takes all of a closing.
    const client = await bench.byHand.connect()
    try {
      await closeByHand(client, user)
    } finally {
      client.release()
    }
    return (await session.cut).ms - called
  })
}
