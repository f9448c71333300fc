/**
 * A day's work in minutes: so many requests a second through the whole of an access, thousands of grants held live
 * beside them, then a crowd of them ending within one second. At the end everything that was acknowledged has to be
 * accounted for: in the store, in the log, and on the target.
 */

import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import type { Opened, Session } from './access.ts'
import { holdSession, moment, openThroughTidegate } from './access.ts'
import type { Bench, BenchOptions, LoadOptions, Row } from './harness.ts'
import { figureOf, inParallel, numbers, rowOf } from './harness.ts'
import { checkRows } from './load-checks.ts'
import type { Acknowledged, How } from './load-checks.ts'
import { watchServer } from './load-watch.ts'
import type { Stand } from './stand.ts'
import { setUp } from './stand.ts'

/** More under way than this, and a request is not sent but counted: the server is drowning. */
const mostUnderWay = 1_000
/** Of the held, so many have a session. */
const sessionsHeld = 50
/** Whoever has not been cut this long after is counted as never cut. */
const cutWithinMs = 60_000
const settleWithinMs = 120_000
/** Longer than anybody waits for an opening on a machine at its limit; how long that is, the first leg tells. */
const expiresAfter = '15s'

export const load: Bench = {
  name: 'load',
  about: 'the whole cycle for minutes on end, thousands live, hundreds ending at once',
  runs: 'named',
  async run(options) {
    const sizes = options.quick ? { minutes: 0.25, ratePerSecond: 5, held: 50, burst: 20 } : options.load
    // As it is run by people: it asks again, and sweeps, as often as it does unless told otherwise.
    const stand = await setUp(options, {})
    try {
      return await drive(stand, sizes, options)
    } finally {
      await stand.close()
    }
  },
}

type Tally = {
  readonly acknowledged: Map<string, Acknowledged>
  readonly errors: Map<string, number>
  readonly legs: Record<'open' | 'connect', number[]>
  /** By how the grant ended: from its end, or from the call that ended it, to the last byte. */
  readonly late: Record<How | 'crowd', number[]>
  readonly counts: { sent: number; withheld: number; whole: number; neverCut: number }
}

const newTally = (): Tally => ({
  acknowledged: new Map(),
  errors: new Map(),
  legs: { open: [], connect: [] },
  late: { done: [], expired: [], revoked: [], crowd: [] },
  counts: { sent: 0, withheld: 0, whole: 0, neverCut: 0 },
})

async function drive(stand: Stand, sizes: LoadOptions, { note }: BenchOptions): Promise<readonly Row[]> {
  const tally = newTally()
  const server = await watchServer(stand)
  try {
    note(`opening ${sizes.held} that are held`)
    const sessions = await hold(stand, tally, sizes.held)
    note(`${sizes.ratePerSecond} a second for ${sizes.minutes} minutes`)
    server.mark('steady')
    await steady(stand, tally, { ...sizes, note })
    server.mark('crowd')
    note(`${sizes.burst} that end within one second`)
    await crowd(stand, tally, sizes.burst)
    server.mark('over')
    note('checking')
    await settle(stand)
    for (const session of sessions) session.drop()
    return [
      ...flowRows(tally, sizes),
      ...lateRows(tally, sizes),
      ...(await checkRows(stand, tally.acknowledged)),
      ...server.rows(),
    ]
  } finally {
    await server.stop()
  }
}

/** Held for as long as policy gives: their ends are no part of this. */
async function hold(stand: Stand, tally: Tally, count: number): Promise<readonly Session[]> {
  const sessions = await inParallel(numbers(count), 8, async (i) => {
    const opened = await acknowledge(stand, tally, { who: i, duration: '8h' })
    return opened && i < sessionsHeld ? [await holdSession(opened.login)] : []
  })
  return sessions.flat()
}

const personOf = ({ people, alice }: Stand, who: number): Client => people[who % people.length] ?? alice

type Wish = { readonly who: number; readonly duration: string }

/** What the server has said yes to is written down at once, and held against it later. */
async function acknowledge(stand: Stand, tally: Tally, { who, duration }: Wish): Promise<Opened | undefined> {
  try {
    const opened = await openThroughTidegate(personOf(stand, who), duration)
    tally.acknowledged.set(opened.grant, { request: opened.request, expiresAt: opened.expiresAt })
    tally.legs.open.push(opened.openMs)
    return opened
  } catch (error) {
    count(tally, 'open', error)
    return undefined
  }
}

function count({ errors }: Tally, where: string, error: unknown): void {
  const code = error instanceof ApiError ? error.code : ((error as { code?: string }).code ?? (error as Error).message)
  const key = `${where}: ${code}`
  errors.set(key, (errors.get(key) ?? 0) + 1)
}

type Steady = LoadOptions & { readonly note: (text: string) => void }

/** Sent by the clock, whatever became of those before: a server that slows down is not spared for it. */
async function steady(stand: Stand, tally: Tally, { minutes, ratePerSecond, note }: Steady): Promise<void> {
  const total = Math.round(minutes * 60 * ratePerSecond)
  const begun = performance.now()
  const underWay = new Set<Promise<void>>()
  for (const n of numbers(total)) {
    const due = begun + (n * 1_000) / ratePerSecond
    const early = due - performance.now()
    if (early > 0) await delay(early)
    if (n > 0 && n % (ratePerSecond * 60) === 0) note(`${n} sent, ${underWay.size} under way`)
    if (underWay.size >= mostUnderWay) {
      tally.counts.withheld++
      continue
    }
    tally.counts.sent++
    const one = cycle(stand, tally, n).finally(() => underWay.delete(one))
    underWay.add(one)
  }
  await Promise.all(underWay)
}

/** Seven of ten say that they are done, two run out, one is revoked. */
const howOf = (n: number): How => (n % 10 < 7 ? 'done' : n % 10 < 9 ? 'expired' : 'revoked')

async function cycle(stand: Stand, tally: Tally, n: number): Promise<void> {
  const how = howOf(n)
  const opened = await acknowledge(stand, tally, { who: n, duration: how === 'expired' ? expiresAfter : '15m' })
  const written = opened && tally.acknowledged.get(opened.grant)
  if (!opened || !written) return
  // It runs out, whether it can be used before that or not.
  if (how === 'expired') tally.acknowledged.set(opened.grant, { ...written, ended: how })
  try {
    const before = performance.now()
    const session = await holdSession(opened.login)
    tally.legs.connect.push(performance.now() - before)
    const from = await end(stand, opened, { how, who: n })
    tally.acknowledged.set(opened.grant, { ...written, ended: how })
    if (await cutAfter(tally, { session, from, how })) tally.counts.whole++
  } catch (error) {
    count(tally, how, error)
  }
}

type End = { readonly how: How; readonly who: number }

/** The moment from which nothing may be open any more. */
async function end(stand: Stand, { grant, expiresAt }: Opened, { how, who }: End): Promise<number> {
  const called = moment().epochMs
  if (how === 'done') await personOf(stand, who).endGrant({ id: grant })
  if (how === 'revoked') await stand.administrator.revokeGrant({ id: grant, reason: 'Load' })
  return how === 'expired' ? expiresAt : called
}

type Awaited = { readonly session: Session; readonly from: number; readonly how: How | 'crowd' }

async function cutAfter(tally: Tally, { session, from, how }: Awaited): Promise<boolean> {
  const limit = Math.max(0, from - Date.now()) + cutWithinMs
  const cut = await Promise.race([session.cut, delay(limit, undefined, { ref: false })])
  if (cut) tally.late[how].push(cut.epochMs - from)
  else {
    tally.counts.neverCut++
    session.drop()
  }
  return cut !== undefined
}

/** Opened one after the other, each for as long as is left, so that all end within the same second. */
async function crowd(stand: Stand, tally: Tally, count: number): Promise<void> {
  const at = Date.now() + 3_000 + count * 60
  const open = async (who: number): Promise<Opened | undefined> => {
    const duration = `${Math.max(1, Math.ceil((at - Date.now()) / 1_000))}s`
    return acknowledge(stand, tally, { who, duration })
  }
  const held = await inParallel(numbers(count), 8, async (who) => {
    const opened = await open(who)
    return opened ? [{ opened, session: await holdSession(opened.login) }] : []
  })
  await Promise.all(
    held.flat().map(async ({ opened, session }) => {
      const { grant, request, expiresAt } = opened
      tally.acknowledged.set(grant, { request, expiresAt, ended: 'expired' })
      await cutAfter(tally, { session, from: expiresAt, how: 'crowd' })
    }),
  )
}

/** Nothing is ending any more, and everything is in the tree; or it has had time enough. */
async function settle({ store }: Stand): Promise<void> {
  const until = Date.now() + settleWithinMs
  while (Date.now() < until) {
    const { rows } = await store.client.query<{ left: boolean }>(
      `select exists (select from access_grant where state = 'ending' or (due_at <= $1 and state <> 'ended'))
         or exists (select from audit_entry where leaf_index is null) as left`,
      [new Date()],
    )
    if (rows[0]?.left === false) return
    await delay(250)
  }
}

function flowRows({ counts, errors, legs }: Tally, { ratePerSecond, minutes }: LoadOptions): readonly Row[] {
  const seconds = minutes * 60
  return [
    figureOf(`whole cycles, ${ratePerSecond} a second asked for`, counts.whole / seconds, 'per s', {
      atLeast: ratePerSecond * 0.99,
    }),
    figureOf('sent and not gone through', counts.sent - counts.whole, 'count', { atMost: 0 }),
    figureOf('requests withheld, because too much was under way', counts.withheld, 'count', { atMost: 0 }),
    ...[...errors].map(([what, count]) => figureOf(`errors of ${what}`, count, 'count', { atMost: 0 })),
    rowOf('the call that asks and opens', legs.open),
    rowOf('connect and select 1', legs.connect),
  ]
}

function lateRows({ late, counts }: Tally, { burst }: LoadOptions): readonly Row[] {
  return [
    rowOf('done to last byte', late.done),
    rowOf('revoke to last byte', late.revoked),
    rowOf('expiry to last byte', late.expired),
    rowOf(`expiry to last byte, ${burst} within one second`, late.crowd),
    figureOf('sessions never cut', counts.neverCut, 'count', { atMost: 0 }),
  ]
}
