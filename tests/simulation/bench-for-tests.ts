import { afterAll, beforeAll } from 'vitest'
import { createTestDatabase } from '../support/databases.ts'
import { openBench } from './bench.ts'
import type { Bench } from './world.ts'

/** One for all tests of a file, on a store of its own. */
export function benchForTests(): () => Bench {
  let bench: Awaited<ReturnType<typeof openBench>>
  let dropStore: () => Promise<void>
  beforeAll(async () => {
    const store = await createTestDatabase('store')
    dropStore = () => store.drop()
    bench = await openBench(store.url)
  })
  afterAll(async () => {
    await bench.close()
    await dropStore()
  })
  return () => bench
}
