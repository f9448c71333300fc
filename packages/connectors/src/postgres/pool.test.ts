import { expect, test } from 'vitest'
import type { TargetClient } from './client.ts'
import { createPool } from './pool.ts'

const client: TargetClient = {
  serverVersion: 180_000,
  noticesLeaving: true,
  query: async () => [],
  alive: () => true,
  destroy: () => undefined,
  end: async () => undefined,
}

const { signal } = new AbortController()
const wanting = (urgent: boolean) => ({ database: 'orders', signal, urgent })

test('what takes access away comes before those that wait to give it, and equals in the order they came', async () => {
  const pool = createPool(async () => client, 1)
  let free = (): void => undefined
  const held = pool.use(wanting(false), () => new Promise<void>((resolve) => (free = resolve)))
  await Promise.resolve()
  const came: string[] = []
  const asked = [
    ['open 1', false],
    ['open 2', false],
    ['close 1', true],
    ['close 2', true],
  ] as const
  const waiting = asked.map(([name, urgent]) => pool.use(wanting(urgent), async () => void came.push(name)))
  await new Promise(setImmediate)
  free()
  await Promise.all([held, ...waiting])
  expect(came).toEqual(['close 1', 'close 2', 'open 1', 'open 2'])
  await pool.end()
})
