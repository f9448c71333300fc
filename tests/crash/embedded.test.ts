/** `tidegate server` with a PostgreSQL of its own: killed, neither survives the other for long, and both come back whole. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sightProcess } from '../../packages/server/src/embedded/process.ts'
import { eventually } from './eventually.ts'
import { makeFolder } from './folder.ts'
import { embeddedFleetForTest } from './for-test.ts'
import { killTree } from './process-tree.ts'
import { play } from './scenario.ts'
import { createServerProcess } from './server-process.ts'
import { usualShape } from './workload.ts'

const limitMs = 600_000

async function postmasterOf(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10)
}

/** It ends its sessions and writes everything out first. */
const stoppedWithinMs = 30_000

test(
  'a server with its own store is killed under load: the store stops by itself, and nothing is lost',
  { timeout: limitMs },
  async (context) => {
    const fleet = await embeddedFleetForTest(context, { scenario: 'a server with a store of its own' })
    const { server, dataDir } = fleet
    const random = fleet.random('embedded')
    const outcome = await play(fleet, {
      name: 'a server with a store of its own',
      shape: { ...usualShape, people: ['alice', 'bob', 'ci'] },
      async chaos() {
        // At once, in the middle of the store's stopping, and when it has stopped.
        for (const wait of ['none', 'some', 'all'] as const) {
          await delay(500 + random.below(2_000))
          const postmaster = await postmasterOf(dataDir)
          await server.kill()
          if (wait === 'some') await delay(random.below(300))
          if (wait === 'all') {
            await eventually({ what: 'the store of a killed server stops', withinMs: stoppedWithinMs }, async () => {
              const { state } = await sightProcess(postmaster)
              return state === 'gone'
            })
          }
          await server.start()
          expect(await sightProcess(postmaster)).toEqual({ state: 'gone' })
        }
        // And the other way round: a server without its store says so and ends, for whoever runs it to start it again.
        const code = server.ends(60_000)
        await killTree(await postmasterOf(dataDir))
        expect(await code).toBe(1)
        expect(server.written()).toContain('The embedded PostgreSQL is gone')
        await server.start()
      },
    })
    expect(outcome.violations).toEqual([])
  },
)

test(
  'a server killed while it makes its store for the first time makes it at the next start',
  { timeout: limitMs },
  async ({ onTestFinished }) => {
    const folder = await makeFolder()
    const dataDir = join(folder.path, 'data')
    const server = await createServerProcess({
      name: 'server',
      logFile: join(folder.path, 'server.log'),
      env: { TIDEGATE_DATA: dataDir },
    })
    onTestFinished(async () => {
      await server.stop()
      await folder.remove()
    })
    server.launch()
    await eventually({ what: 'the store is being made', withinMs: 60_000 }, async () => {
      const drafts = (await readdir(dataDir)).filter((name) => name.startsWith('postgres.tmp-'))
      return drafts.length > 0
    })
    await server.kill()
    await server.start()
    await eventually({ what: 'the first token is printed', withinMs: 60_000 }, () => /tdg_\w/.test(server.written()))
    expect((await readdir(dataDir)).filter((name) => name.includes('tmp'))).toEqual([])
  },
)
