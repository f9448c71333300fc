/** `npm run bench [-- NAME…] [--rounds N] [--json]` */

import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench, Row } from './harness.ts'
import { open } from './open.ts'

const benches: readonly Bench[] = [open]

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '200' }, json: { type: 'boolean', default: false } },
})
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0)
  throw new Error(
    `There is no benchmark ${unknown.join(', ')}; there are ${benches.map(({ name }) => name).join(', ')}.`,
  )
const wanted = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const results: { name: string; rows: readonly Row[] }[] = []
for (const bench of wanted) {
  const note = (text: string): void => void process.stderr.write(`${bench.name}: ${text}\n`)
  const rows = await bench.run({ rounds: Number(values.rounds), note })
  results.push({ name: bench.name, rows })
  if (!values.json) print(bench, rows)
}
if (values.json) {
  const machine = { node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model }
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), machine, results }, undefined, 2)}\n`)
}

function print({ name, about }: Bench, rows: readonly Row[]): void {
  process.stdout.write(`\n${name}: ${about}\n`)
  for (const { what, p50, p95, unit, ratio } of rows) {
    const compared = ratio ? `  ${ratio.of50.toFixed(2)} × “${ratio.to}”` : ''
    process.stdout.write(
      `  ${what.padEnd(54)} p50 ${p50.toFixed(1).padStart(7)} ${unit}  p95 ${p95.toFixed(1).padStart(7)} ${unit}${compared}\n`,
    )
  }
}
