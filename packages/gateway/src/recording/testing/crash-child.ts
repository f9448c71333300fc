/**
 * Records until it is killed, and says on standard output what it has recorded. Its clock stands at the time of the
 * event that it records, so that the second that may be lost is one of that clock. For tests only.
 */

import { writeSync } from 'node:fs'
import { instant } from '@tidegate/core'
import type { Head } from '../format/head.ts'
import { createRecorders } from '../write/recorder.ts'
import { manualClock } from './manual-clock.ts'
import { keepAll, sampleEvents, sampleSession } from './sample.ts'

/** One line. */
export type Said = { readonly head: Head } | { readonly recorded: number; readonly at: number }

const [dir = ''] = process.argv.slice(2)
const clock = manualClock()
const recorder = createRecorders({ dir, clock }).open({
  session: sampleSession(),
  policy: keepAll,
  anchor: (head) => say({ head }),
})
/** A pipe that is full for now takes the rest of it later: nothing that was recorded may go unsaid. */
function say(what: Said): void {
  let rest = Buffer.from(`${JSON.stringify(what)}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
const [statement] = sampleEvents(1)

for (let i = 1; statement !== undefined; i++) {
  const at = clock.now()
  await recorder.pressure()
  recorder.record({ ...statement, statement: i, at: instant(at) })
  say({ recorded: i, at })
  clock.advance(20)
  if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
}
