/** Rates and times of what goes through: every side in turn, for a few seconds each, in several rounds. */

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Middle } from './gateway-middle.ts'
import { makeTables, pgbenchRate, type Program, psqlMs } from './gateway-programs.ts'
import { type GatewayStand, type Ours, ours, type Side, type SideName, words } from './gateway-stand.ts'
import type { BenchOptions, Bounds, Row } from './harness.ts'
import { againstInTurns, medianOf, turned } from './harness.ts'

type Samples = Readonly<Record<SideName, readonly number[]>>

/** What one side measures of itself. */
type Measure = (side: Side) => Promise<number>

async function inTurn(sides: readonly Side[], rounds: number, measure: Measure): Promise<Samples> {
  const samples = { direct: [], relay: [], pgbouncer: [], gateway: [], workers: [] } as Record<SideName, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const side of turned(sides, round)) samples[side.name].push(await measure(side))
  }
  return samples
}

type Wanted = Readonly<Partial<Record<Exclude<SideName, Ours>, Bounds>>>

/** A line for each side, and one for each comparison that has a bound. */
function rowsOf(what: string, { samples, unit }: { samples: Samples; unit: Row['unit'] }, wanted: Wanted): Row[] {
  const rowFor = (side: SideName): Row => medianOf(`${what}: ${words[side]}`, samples[side], unit)
  const direct = rowFor('direct')
  const bases = (['direct', 'relay', 'pgbouncer'] as const).filter((side) => samples[side].length > 0)
  const compared = bases.filter((side) => wanted[side] !== undefined)
  const inTurns = (side: SideName, base: SideName) => ({ own: samples[side], beside: samples[base] })
  const beside = (side: SideName, base: SideName, bounds: Bounds = {}): Row => {
    const row = rowFor(side)
    const named = { ...row, what: `${row.what}, beside ${words[base]}` }
    return againstInTurns(named, rowFor(base), { ...inTurns(side, base), ...bounds })
  }
  const there = ours.filter((side) => samples[side].length > 0)
  return [
    direct,
    ...bases.slice(1).map((side) => againstInTurns(rowFor(side), direct, inTurns(side, 'direct'))),
    ...there.flatMap((side) => compared.map((base) => beside(side, base, wanted[base]))),
  ]
}

type Cell = { readonly what: string; readonly argv: readonly string[]; readonly use: 'reads' | 'writes' }

const cells: readonly Cell[] = [
  { what: 'select-only, simple', argv: ['--select-only', '--protocol=simple'], use: 'reads' },
  { what: 'select-only, extended', argv: ['--select-only', '--protocol=extended'], use: 'reads' },
  { what: 'select-only, prepared', argv: ['--select-only', '--protocol=prepared'], use: 'reads' },
  { what: 'TPC-B', argv: ['--builtin=tpcb-like', '--protocol=simple'], use: 'writes' },
]

/** Whose processor time is asked for: beside it, the rates of all sides are as much the target's and the client's. */
const weighedAt = 8

/**
 * What runs for weeks is measured as it runs then: an engine that compiles while it runs takes half as long again for
 * its first 50,000 transactions.
 */
const warmRounds = 4
const isCompiled = (name: SideName): boolean => name !== 'direct' && name !== 'pgbouncer'

export async function transactions(stand: GatewayStand, pgbench: Program, options: BenchOptions): Promise<Row[]> {
  const { quick, note } = options
  note('filling the tables of pgbench')
  await makeTables(pgbench, stand.login, quick ? 8 : 32)
  const seconds = quick ? 1 : 2
  const rounds = options.rounds ?? (quick ? 1 : 5)
  const measureOf =
    ({ argv, use }: Cell, clients: number): Measure =>
    (side) =>
      pgbenchRate(pgbench, side[use], { argv, clients, seconds })
  note('warming up')
  const compiled = stand.sides.filter(({ name }) => isCompiled(name))
  for (const cell of cells) await inTurn(compiled, quick ? 1 : warmRounds, measureOf(cell, weighedAt))
  const rows: Row[] = []
  for (const cell of cells) {
    for (const clients of quick ? [1, 8] : [1, 8, 32]) {
      const what = `${cell.what}, ${clients === 1 ? '1 client' : `${clients} clients`}`
      note(what)
      const meter = createMeter(stand, seconds)
      const measure = measureOf(cell, clients)
      const weighed = clients === weighedAt ? meter.around(measure) : measure
      const samples = await inTurn(stand.sides, rounds, weighed)
      rows.push(...rowsOf(what, { samples, unit: 'per s' }, { relay: { atLeast: 0.95 }, pgbouncer: { atLeast: 0.8 } }))
      if (clients === weighedAt) rows.push(...meter.rows(what))
    }
  }
  return rows
}

/** Processor time of what is ours and stands in between, for each transaction. */
function createMeter(stand: GatewayStand, seconds: number) {
  const micros = { relay: [] as number[], gateway: [] as number[], workers: [] as number[] }
  const around =
    (measure: Measure): Measure =>
    async (side) => {
      if (side.name === 'direct' || side.name === 'pgbouncer') return measure(side)
      const middle: Middle = stand[side.name]
      const before = await middle.weigh()
      const rate = await measure(side)
      const after = await middle.weigh()
      micros[side.name].push(((after.processorMs - before.processorMs) * 1_000) / (rate * seconds))
      return rate
    }
  const rows = (what: string): readonly Row[] => {
    const rowFor = (side: keyof typeof micros): Row =>
      medianOf(`  of a processor, each transaction of ${what}: ${words[side]}`, micros[side], 'µs')
    const relay = rowFor('relay')
    return [
      relay,
      ...ours.map((side) => againstInTurns(rowFor(side), relay, { own: micros[side], beside: micros.relay })),
    ]
  }
  return { around, rows }
}

/**
 * By libpq, from its first packet to its goodbye. Who comes again with a grant finds the target's part done meanwhile, and
 * so does the first with a grant; in life that one's login is asked for meanwhile too. Warmed up as above.
 */
export async function connecting(stand: GatewayStand, pgbench: Program, options: BenchOptions): Promise<Row[]> {
  options.note('connect and select 1')
  const script = join(stand.folder, 'select-1.sql')
  await writeFile(script, 'select 1;\n')
  const seconds = options.quick ? 1 : 2
  const argv = ['--connect', `--file=${script}`]
  const measureAs =
    (user: 'again' | 'reader', clients = 1): Measure =>
    async ({ name, reads }) =>
      1_000 /
      (await pgbenchRate(pgbench, name === 'gateway' || name === 'workers' ? stand.asUser(user, name) : reads, {
        argv,
        clients,
        seconds,
      }))
  const rounds = options.rounds ?? (options.quick ? 1 : 5)
  const compiled = stand.sides.filter(({ name }) => isCompiled(name))
  for (const user of ['again', 'reader'] as const) {
    await inTurn(compiled, options.quick ? 1 : warmRounds, measureAs(user, weighedAt))
  }
  const again = await inTurn(stand.sides, rounds, measureAs('again'))
  const beside = stand.sides.filter(({ name }) => name === 'direct' || name === 'gateway' || name === 'workers')
  const first = await inTurn(beside, rounds, measureAs('reader'))
  return [
    ...rowsOf(
      'connect and select 1, again with one grant',
      { samples: again, unit: 'ms' },
      { direct: { atMost: 1.3 }, relay: {} },
    ),
    ...rowsOf(
      'connect and select 1, each time with another grant',
      { samples: first, unit: 'ms' },
      { direct: { atMost: 1.3 } },
    ),
  ]
}

/** A line of text in the format of COPY, with its end. */
const lineBytes = 100
const firstId = 10_000_000

export async function copying(stand: GatewayStand, psql: Program, options: BenchOptions): Promise<Row[]> {
  const { quick, note } = options
  const sizeMb = quick ? 50 : 500
  const lines = (sizeMb * 1_000_000) / lineBytes
  note(`COPY of ${sizeMb} MB`)
  const filler = `lpad(id::text, ${lineBytes - String(firstId).length - 2}, 'x')`
  await stand.owner.query(`create unlogged table bulk as
    select id, ${filler} as filler from generate_series(${firstId}, ${firstId + lines - 1}) as id`)
  await stand.owner.query('create unlogged table sink (like bulk)')
  const file = join(stand.folder, 'bulk.txt')
  await psqlMs(psql, stand.login, String.raw`\copy bulk to '${file}'`)
  const out: Measure = async ({ reads }) =>
    (sizeMb * 1_000) / (await psqlMs(psql, reads, String.raw`\copy bulk to '/dev/null'`))
  const into: Measure = async ({ name, writes }) => {
    await stand.owner.query('truncate sink')
    const ms = await psqlMs(psql, writes, String.raw`\copy sink from '${file}'`)
    const { rows } = await stand.owner.query<{ count: number }>('select count(*)::int as count from sink')
    if (rows[0]?.count !== lines) throw new Error(`${words[name]}: ${rows[0]?.count} of ${lines} lines arrived.`)
    return (sizeMb * 1_000) / ms
  }
  const compiled = stand.sides.filter(({ name }) => isCompiled(name))
  for (const measure of [out, into]) await inTurn(compiled, quick ? 1 : warmRounds, measure)
  const rounds = options.rounds ?? (quick ? 1 : 5)
  const wanted = { direct: { atLeast: 0.95 }, relay: { atLeast: 0.95 }, pgbouncer: { atLeast: 0.8 } }
  const rowsFor = async (what: string, measure: Measure): Promise<Row[]> => {
    const samples = await inTurn(stand.sides, rounds, measure)
    return rowsOf(`COPY ${what}, ${sizeMb} MB`, { samples, unit: 'MB/s' }, wanted)
  }
  const rows = [...(await rowsFor('out', out)), ...(await rowsFor('in', into))]
  await stand.owner.query('drop table bulk, sink')
  await rm(file)
  // What is measured next is not to wait for what this has written.
  await stand.owner.query('checkpoint')
  return rows
}
