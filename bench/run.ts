/** `npm run bench [-- NAME…] [--rounds N] [--quick] [--json] [--profile DIR]`; README.md says more. */

import { spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { audit } from './audit.ts'
import { close } from './close.ts'
import { cycle } from './cycle.ts'
import { decide } from './decide.ts'
import { due } from './due.ts'
import { gateway } from './gateway.ts'
import type { Bench, Bounds, Row } from './harness.ts'
import { keeps } from './harness.ts'
import { identity } from './identity.ts'
import { load } from './load.ts'
import { describeMachine, machineText } from './machine.ts'
import { open } from './open.ts'
import { scim } from './scim.ts'

const benches: readonly Bench[] = [decide, open, close, cycle, audit, due, identity, scim, gateway, load]

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '50' },
    held: { type: 'string', default: '5000' },
    burst: { type: 'string', default: '500' },
  },
})

const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0)
  throw new Error(
    `There is no benchmark ${unknown.join(', ')}; there are ${benches.map(({ name }) => name).join(', ')}.`,
  )

const positive = (name: string, text: string): number => {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${text}.`)
  return value
}
const profileDir = values.profile === undefined ? undefined : resolve(values.profile)
if (profileDir !== undefined) await mkdir(profileDir, { recursive: true })
const options = {
  rounds: values.rounds === undefined ? undefined : positive('rounds', values.rounds),
  quick: values.quick,
  profileDir,
  load: {
    minutes: positive('minutes', values.minutes),
    ratePerSecond: positive('rate', values.rate),
    held: positive('held', values.held),
    burst: positive('burst', values.burst),
  },
}

const built = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: new URL('..', import.meta.url),
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (built.status !== 0) throw new Error('What is to be measured could not be built.')

const machine = await describeMachine()
if (!values.json) process.stdout.write(`${machineText(machine)}\n`)
const wanted = benches.filter(({ name, runs }) =>
  positionals.length === 0 ? runs !== 'named' : positionals.includes(name),
)
const facts: Record<string, string> = {}
const results: { name: string; rows: readonly Row[] }[] = []
for (const bench of wanted) {
  const note = (text: string): void => void process.stderr.write(`${bench.name}: ${text}\n`)
  const report = (found: Readonly<Record<string, string>>): void => void Object.assign(facts, found)
  const rows = await bench.run({ ...options, note, report })
  results.push({ name: bench.name, rows })
  if (!values.json) print(bench, rows)
}
const answer = { at: new Date().toISOString(), quick: values.quick, machine: { ...machine, ...facts }, results }
if (values.json) process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`)
else for (const [name, text] of Object.entries(facts)) process.stdout.write(`\n${name}: ${text}`)
if (!values.json) process.stdout.write('\n')

function print({ name, about }: Bench, rows: readonly Row[]): void {
  process.stdout.write(`\n${name}: ${about}\n`)
  const width = Math.max(...rows.map(({ what }) => what.length))
  for (const { what, unit, samples, figures, ratio, wanted } of rows) {
    const told = Object.entries(figures).map(([of, value]) => `${of === 'is' ? '' : `${of} `}${written(value)}`)
    const compared = ratio
      ? `  ${written(ratio.of)} ${ratio.is === 'faster' ? 'times faster than' : '×'} “${ratio.to}”${verdict(ratio.of, ratio)}`
      : ''
    const held = wanted ? verdict(Object.values(figures)[0] ?? Number.NaN, wanted) : ''
    const count = samples > 1 ? `  n=${samples}` : ''
    process.stdout.write(`  ${what.padEnd(width)}  ${told.join('  ')} ${unit}${count}${held}${compared}\n`)
  }
}

function written(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}

function verdict(value: number, bounds: Bounds): string {
  const { atMost, atLeast } = bounds
  if (atMost === undefined && atLeast === undefined) return ''
  const words = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
  return ` (wanted ${words}: ${keeps(value, bounds) ? 'met' : 'MISSED'})`
}
