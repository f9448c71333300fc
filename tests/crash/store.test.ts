/** The store's PostgreSQL dies, hangs or restarts under running servers, which are never restarted themselves. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Fleet } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { play } from './scenario.ts'
import { usualShape } from './workload.ts'

/** What the server allows a statement, and a little. See `server.ts`. */
const longerThanStatementsMs = 38_000

async function isReady(fleet: Fleet): Promise<boolean> {
  const answers = await Promise.all(
    fleet.members.map(({ url }) => fetch(`${url}/readyz`, { signal: AbortSignal.timeout(60_000) })),
  )
  return answers.every(({ ok }) => ok)
}

/** A moment for the servers to have lost it, and one for them to have work again. */
const betweenMs = 2_000

test(
  'a store that is killed, paused and restarted makes callers wait or try again, and loses nothing',
  { timeout: 240_000 },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the store is killed, paused, restarted', servers: 2 })
    const { store } = fleet
    const processes = fleet.members.map((member) => member.pid())
    const outcome = await play(fleet, {
      name: 'the store is killed, paused, restarted',
      shape: { ...usualShape, people: ['alice', 'bob', 'carol', 'ci'] },
      async chaos(ledger) {
        for (let round = 0; round < 2; round++) {
          await delay(betweenMs)
          await store.kill()
          await delay(betweenMs)
          await store.start()
          await eventually({ what: 'both are ready again', withinMs: 20_000 }, () => isReady(fleet))
        }
        await delay(betweenMs)
        await store.restart()
        await eventually({ what: 'both are ready again', withinMs: 20_000 }, () => isReady(fleet))
        await delay(betweenMs)
        await store.pause()
        let answer: unknown = 'none'
        void fleet
          .clientOf('alice')
          .whoami({})
          .catch((error: unknown) => (answer = error))
        await delay(longerThanStatementsMs)
        expect(answer).toMatchObject({ code: 'unavailable' })
        await store.resume()
        await eventually({ what: 'both are ready again', withinMs: 20_000 }, () => isReady(fleet))
        expect(ledger.tally.get('unavailable')).toBeGreaterThan(0)
      },
    })
    expect(outcome.violations).toEqual([])
    expect(outcome.ledger.tally.get('no-answer')).toBeUndefined()
    expect(fleet.members.map((member) => member.pid())).toEqual(processes)
  },
)
