/** `npm run crash -- --seed N --kills 50`: the first scenario, for as long as one likes. */

import { parseArgs } from 'node:util'
import { announceSeed, chooseSeed, startFleet } from './fleet.ts'
import { killAtRandom } from './kills.ts'

const { values } = parseArgs({ options: { seed: { type: 'string' }, kills: { type: 'string', default: '50' } } })
const seed = values.seed ?? chooseSeed()
announceSeed('one server killed at random', seed)
const fleet = await startFleet({ seed, servers: 1 })
try {
  const since = performance.now()
  const progress = (done: number): void => void process.stderr.write(`\r${done} kills `)
  const { violations } = await killAtRandom(fleet, { kills: Number(values.kills), progress })
  process.stdout.write(`  seconds: ${Math.round((performance.now() - since) / 1_000)}\n`)
  for (const violation of violations) process.stdout.write(`violation: ${violation}\n`)
  process.exitCode = violations.length === 0 ? 0 : 1
} finally {
  await fleet.end()
}
