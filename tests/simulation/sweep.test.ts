/** A process that dies at any await of any kind of work leaves nothing that the others do not put right. */

import { expect, test } from 'vitest'
import { benchForTests } from './bench-for-tests.ts'
import { scenes, sweep } from './sweep.ts'

const bench = benchForTests()

/** Each scene begins at another one. All of them, and what else can strike there: `npm run simulate -- --sweep`. */
const every = 4

test.each(Object.keys(scenes).map((scene, index) => [scene, 1 + (index % every)] as const))(
  '%s, and a crash after what it sends',
  { timeout: 120_000 },
  async (scene, from) => {
    const swept = await sweep(bench(), { scene, how: 'crash-after', from, every })
    expect(swept.length).toBeGreaterThan(0)
    expect(swept.filter(({ problems }) => problems.length > 0)).toEqual([])
  },
)
