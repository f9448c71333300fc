/** What benchmarks share: their shape, the lines they answer with, and how samples are taken. */

import { performance } from 'node:perf_hooks'

export type Bench = {
  readonly name: string
  readonly about: string
  /** `named`: only when it is asked for by its name. */
  readonly runs?: 'named'
  /** Prints nothing; says what it measured. */
  readonly run: (options: BenchOptions) => Promise<readonly Row[]>
}

export type BenchOptions = {
  /** How often everything is done; absent: as often as the benchmark thinks right. */
  readonly rounds: number | undefined
  /** Smaller everywhere: to see that it works, not to measure. */
  readonly quick: boolean
  /** Where the server processes leave their CPU profiles; absent: they make none. */
  readonly profileDir: string | undefined
  readonly load: LoadOptions
  readonly note: (text: string) => void
  /** What the figures rest on and the benchmark alone knows, such as the version of PostgreSQL. */
  readonly report: (facts: Readonly<Record<string, string>>) => void
}

export type LoadOptions = {
  readonly minutes: number
  readonly ratePerSecond: number
  readonly held: number
  readonly burst: number
}

type Unit = 'ms' | 'µs' | 'per s' | 'kB' | 'MB' | 'MB/s' | 'MB/min' | 'count'

/** What a figure has to keep to. */
export type Bounds = { readonly atMost?: number; readonly atLeast?: number }

/** One line of the table. */
export type Row = {
  readonly what: string
  readonly unit: Unit
  readonly samples: number
  /** In the order in which they are printed. */
  readonly figures: Readonly<Record<string, number>>
  /** Of the first figure. */
  readonly wanted?: Bounds
  /** Against the row it names, of the same run. */
  readonly ratio?: Ratio
}

export type Ratio = Bounds & {
  readonly to: string
  /** `times`: this row by that one. `faster`: that one by this row. */
  readonly is: 'times' | 'faster'
  readonly of: number
}

export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** Of how long something took, or how late it was. */
export function rowOf(what: string, samples: readonly number[], unit: Unit = 'ms'): Row {
  const sorted = samples.toSorted((a, b) => a - b)
  const figures = {
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  }
  return { what, unit, samples: samples.length, figures }
}

/** The tail first, for what has a bound to it. What never came is left out: somebody else counts it. */
export function tailOf(what: string, samples: readonly (number | undefined)[], wanted?: Bounds): Row {
  const row = rowOf(
    what,
    samples.filter((one) => one !== undefined),
  )
  const { p50, p95, p99, max } = row.figures as Readonly<Record<'p50' | 'p95' | 'p99' | 'max', number>>
  return { ...row, figures: { p99, p50, p95, max }, ...(wanted && { wanted }) }
}

export const figureOf = (what: string, value: number, unit: Unit, wanted?: Bounds): Row => ({
  what,
  unit,
  samples: 1,
  figures: { is: value },
  ...(wanted && { wanted }),
})

/** The median of several runs of the same, such as of a rate. */
export function medianOf(what: string, values: readonly number[], unit: Unit): Row {
  const sorted = values.toSorted((a, b) => a - b)
  return { what, unit, samples: values.length, figures: { median: percentile(sorted, 0.5) } }
}

const first = ({ figures }: Row): number => Object.values(figures)[0] ?? Number.NaN

export const against = (row: Row, base: Row, bounds: Bounds = {}): Row => ({
  ...row,
  ratio: { to: base.what, is: 'times', of: first(row) / first(base), ...bounds },
})

/** Of what both measured in turns: each round has a ratio of its own, and what the machine did meanwhile is in both of it. */
export function againstInTurns(row: Row, base: Row, { own, beside, ...bounds }: InTurns): Row {
  const ratios = own.map((value, round) => value / (beside[round] ?? Number.NaN)).toSorted((a, b) => a - b)
  return { ...row, ratio: { to: base.what, is: 'times', of: percentile(ratios, 0.5), ...bounds } }
}

type InTurns = Bounds & { readonly own: readonly number[]; readonly beside: readonly number[] }

export const fasterThan = (row: Row, base: Row, bounds: Bounds = {}): Row => ({
  ...row,
  ratio: { to: base.what, is: 'faster', of: first(base) / first(row), ...bounds },
})

export const keeps = (value: number, { atMost = Infinity, atLeast = -Infinity }: Bounds): boolean =>
  value <= atMost && value >= atLeast

/** Runs the sides in turn, in a new order each round, so that what else the machine does falls on all of them. */
export async function interleave(
  sides: Readonly<Record<string, () => Promise<void>>>,
  rounds: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const samples = Object.fromEntries(Object.keys(sides).map((name): [string, number[]] => [name, []]))
  const names = Object.keys(sides)
  for (let round = 0; round < rounds; round++) {
    for (const name of turned(names, round)) {
      const { ms } = await timed(async () => sides[name]?.())
      samples[name]?.push(ms)
    }
  }
  return samples
}

export const turned = <T>(all: readonly T[], by: number): readonly T[] => [
  ...all.slice(by % all.length),
  ...all.slice(0, by % all.length),
]

export async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const begun = performance.now()
  const result = await work()
  return { result, ms: performance.now() - begun }
}

/** Works through the items, so many at a time, in their order. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const labour = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T, i)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, labour))
  return results
}

export const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
