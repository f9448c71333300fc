/**
 * The whole of an access: asked for, opened, used, done, cut, closed and read back. Beside the SQL that does the same
 * on the target by hand, over as many connections as Tidegate's connector has.
 */

import { performance } from 'node:perf_hooks'
import pg from 'pg'
import { targetLimits } from '../packages/server/src/targets/limits.ts'
import type { EndWatch } from './access.ts'
import { closeByHand, holdSession, moment, openByHand, openThroughTidegate, watchEnds } from './access.ts'
import type { Bench, Row } from './harness.ts'
import { against, inParallel, medianOf, numbers, rowOf, turned } from './harness.ts'
import type { Stand } from './stand.ts'
import { setUp } from './stand.ts'

type Legs = Record<'open' | 'connect' | 'cut' | 'read back' | 'whole', number>

const legWords: Readonly<Record<keyof Legs, string>> = {
  open: 'ask and open',
  connect: 'connect and select 1',
  cut: 'done to last byte',
  'read back': 'done to read back',
  whole: 'whole',
}

export const cycle: Bench = {
  name: 'cycle',
  about: 'request, open, use, done, cut, read back',
  async run(options) {
    const chunks = options.rounds ?? (options.quick ? 2 : 6)
    const stand = await setUp(options)
    const watch = watchEnds(stand.store.client, 3)
    const byHand = new pg.Pool({
      ...stand.target.connection,
      database: 'orders',
      max: targetLimits.connector.maxConnections,
    })
    const bench = { stand, watch, byHand }
    try {
      options.note('warming up')
      await inParallel(numbers(40), 16, () => throughTidegate(bench))
      await inParallel(numbers(40), 16, () => allByHand(bench))
      const rows: Row[] = []
      for (const { atOnce, count } of [
        { atOnce: 1, count: 20 },
        { atOnce: 16, count: 96 },
      ]) {
        options.note(`${atOnce} at a time, ${chunks} rounds of ${count}, sides in turn`)
        rows.push(...(await measure(bench, { atOnce, count, chunks })))
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
type Size = { readonly atOnce: number; readonly count: number; readonly chunks: number }

async function measure(bench: Standing, { atOnce, count, chunks }: Size): Promise<Row[]> {
  const sides = {
    bare: { run: () => allByHand(bench), legs: [] as Partial<Legs>[], perSecond: [] as number[] },
    tidegate: { run: () => throughTidegate(bench), legs: [] as Partial<Legs>[], perSecond: [] as number[] },
  }
  for (const chunk of numbers(chunks)) {
    for (const side of turned([sides.bare, sides.tidegate], chunk)) {
      const begun = performance.now()
      side.legs.push(...(await inParallel(numbers(count), atOnce, side.run)))
      side.perSecond.push((count * 1_000) / (performance.now() - begun))
    }
  }
  const base = medianOf(`by hand, ${atOnce} at a time`, sides.bare.perSecond, 'per s')
  return [
    base,
    against(medianOf(`Tidegate, ${atOnce} at a time`, sides.tidegate.perSecond, 'per s'), base),
    ...legRows(sides.bare.legs, `  by hand, ${atOnce}: `),
    ...legRows(sides.tidegate.legs, `  Tidegate, ${atOnce}: `),
  ]
}

function legRows(found: readonly Partial<Legs>[], label: string): Row[] {
  return (Object.keys(legWords) as (keyof Legs)[]).flatMap((leg) => {
    const samples = found.flatMap((one) => one[leg] ?? [])
    return samples.length === 0 ? [] : [rowOf(`${label}${legWords[leg]}`, samples)]
  })
}

async function throughTidegate({ stand, watch }: Standing): Promise<Legs> {
  const begun = moment()
  const { grant, login, openMs } = await openThroughTidegate(stand.alice)
  const opened = performance.now()
  const session = await holdSession(login)
  const used = performance.now()
  const ended = watch.ended(grant)
  const done = moment()
  await stand.alice.endGrant({ id: grant })
  const [cut, { endedAt }] = await Promise.all([session.cut, ended])
  return {
    open: openMs,
    connect: used - opened,
    cut: cut.ms - done.ms,
    'read back': endedAt - done.epochMs,
    whole: endedAt - begun.epochMs,
  }
}

async function allByHand({ stand, byHand }: Standing): Promise<Partial<Legs>> {
  const begun = performance.now()
  const login = await openByHand(byHand, stand)
  const opened = performance.now()
  const session = await holdSession(login)
  const used = performance.now()
  const client = await byHand.connect()
  try {
    await closeByHand(client, login.user)
  } finally {
    client.release()
  }
  const over = performance.now()
  return {
    open: opened - begun,
    connect: used - opened,
    cut: (await session.cut).ms - used,
    'read back': over - used,
    whole: over - begun,
  }
}
