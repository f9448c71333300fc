/** The disk of the embedded store fills up. Needs a file system of its own, which root can make. */

import { ApiError } from '@tidegate/api'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Fleet } from './fleet.ts'
import { embeddedFleetForTest } from './for-test.ts'
import { play } from './scenario.ts'
import { mountSmallDisk } from './small-disk.ts'
import { usualShape } from './workload.ts'

/** With room for a PostgreSQL and its log of writes. */
const diskMiB = 220

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof ApiError ? error.code : String(error)
  }
}

/** Asks until the store has no room left for it. */
async function askUntilRefused(fleet: Fleet): Promise<string> {
  const reason = 'x'.repeat(400)
  return eventually({ what: 'a full disk is noticed', withinMs: 60_000 }, async () => {
    const wish = { role: 'orders-db/readonly', duration: '1h', reason }
    const codes = await Promise.all(
      Array.from({ length: 8 }, () => codeOf(fleet.clientOf('alice').createRequest(wish))),
    )
    return codes.find((code) => code !== 'done')
  })
}

test(
  'a full disk is said as such, does nothing by halves, and is got over when there is room',
  { timeout: 600_000 },
  async (context) => {
    const disk = await mountSmallDisk(diskMiB)
    if (!disk) return context.skip('this machine does not let us mount a disk')
    context.onTestFinished(() => disk.unmount())
    const fleet = await embeddedFleetForTest(context, { scenario: 'the disk of the store is full', disk: disk.path })
    const { server } = fleet
    const outcome = await play(fleet, {
      name: 'the disk of the store is full',
      shape: { ...usualShape, people: ['bob', 'carol'] },
      async chaos() {
        const giveBack = await disk.fill()
        expect(await askUntilRefused(fleet)).toBe('unavailable')
        await giveBack()
        if (!server.isUp()) await server.start()
        await eventually({ what: 'it takes requests again', withinMs: 30_000 }, async () => {
          const wish = { role: 'orders-db/readonly', duration: '1h', reason: 'There is room' }
          return (await codeOf(fleet.clientOf('alice').createRequest(wish))) === 'done'
        })
        // Now the log of writes itself, without which PostgreSQL cannot go on at all.
        const giveBackAgain = await disk.fill()
        const code = server.ends(60_000)
        await fleet.inStore('select pg_switch_wal()').catch(() => undefined)
        expect(await askUntilRefused(fleet)).toBe('unavailable')
        expect(await code).toBe(1)
        expect(server.written()).toContain('postgres.log may say why')
        server.launch()
        expect(await server.ends(60_000)).toBe(1)
        expect(server.written()).toContain('Free some space')
        await giveBackAgain()
        await fleet.startAll()
      },
    })
    expect(outcome.violations).toEqual([])
  },
)
