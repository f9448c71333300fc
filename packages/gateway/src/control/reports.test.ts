import { ApiError } from '@tidegate/api'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { SessionReport } from './contract.ts'
import { createReports } from './reports.ts'

const at = '2026-01-05T09:00:00.000Z'
const recorded = (session: string, blocks: number): SessionReport => ({
  what: 'recorded',
  session,
  at,
  head: { segment: 1, blocks, bytes: blocks, events: blocks, chain: 'A'.repeat(43) },
})
const ended = (session: string, reason = 'r'): SessionReport => ({
  what: 'ended',
  session,
  at,
  reason,
  statements: 0,
  refused: 0,
})

type Told = readonly SessionReport[]

function createWorld(take: (reports: Told) => void = () => undefined, most = { atOnce: 500, waiting: 5 }) {
  const calls: Told[] = []
  const settled: string[] = []
  const logged: string[] = []
  let open: () => void = () => undefined
  let gate = Promise.resolve()
  const reports = createReports({
    async send(batch) {
      await gate
      calls.push(batch)
      take(batch)
      return { refused: [] }
    },
    settled: ({ session }) => settled.push(session),
    log: (event, facts) => logged.push(`${event} ${JSON.stringify(facts)}`),
    random: (count) => randomBytes(count),
    most,
  })
  return {
    reports,
    calls,
    settled,
    logged,
    close() {
      gate = new Promise((resolve) => (open = resolve))
    },
    open: () => open(),
  }
}

test('a later head takes the place of one that waits, and not of one that is on its way', async () => {
  const world = createWorld()
  world.close()
  world.reports.add(recorded('a', 1))
  world.reports.add(recorded('a', 2))
  world.reports.add(recorded('b', 1))
  world.reports.add(recorded('a', 3))
  world.reports.add(ended('a'))
  world.open()
  await world.reports.drained()
  expect(world.calls).toEqual([[recorded('a', 1)], [recorded('a', 3), recorded('b', 1), ended('a')]])
})

test('what was not taken is sent again, in its order', async () => {
  let failures = 2
  const world = createWorld(() => {
    if (failures-- > 0) throw new ApiError('unavailable')
  })
  for (const name of ['a', 'b', 'c']) world.reports.add(ended(name))
  await world.reports.drained()
  expect(world.settled).toEqual(['a', 'b', 'c'])
  expect(world.calls.map((batch) => batch.map(({ session }) => session).join(''))).toEqual(['a', 'abc', 'abc'])
})

test('one that cannot be read is left out, and keeps back none of the others', async () => {
  const world = createWorld((batch) => {
    if (batch.some(({ session }) => session === 'bad')) throw new ApiError('invalid-input')
  })
  world.close()
  const names = ['first', 'a', 'b', 'bad', 'c', 'd']
  for (const name of names) world.reports.add(ended(name))
  world.open()
  await world.reports.drained()
  const taken = world.calls.filter((batch) => !batch.some(({ session }) => session === 'bad')).flat()
  expect(taken.map(({ session }) => session)).toEqual(['first', 'a', 'b', 'c', 'd'])
  expect(world.settled).toEqual(names)
  expect(world.logged).toEqual([expect.stringContaining('report-unreadable')])
})

test('says when too many wait, and which ends are among them', async () => {
  const world = createWorld()
  world.close()
  for (const name of ['a', 'b', 'c', 'd']) world.reports.add(ended(name))
  expect(world.reports.isFull()).toBe(false)
  world.reports.add(ended('e'))
  expect([world.reports.isFull(), world.reports.hasEndOf('e'), world.reports.hasEndOf('f')]).toEqual([
    true,
    true,
    false,
  ])
  world.open()
  await world.reports.drained()
  expect([world.reports.isFull(), world.reports.hasEndOf('e')]).toEqual([false, false])
})

test('a call is no larger than a server takes, and has one report at least', async () => {
  const large = (name: string): SessionReport => ended(name, 'x'.repeat(700_000))
  const world = createWorld(undefined, { atOnce: 500, waiting: 10 })
  world.close()
  for (const name of ['a', 'b', 'c']) world.reports.add(large(name))
  world.open()
  await world.reports.drained()
  expect(world.calls.map((batch) => batch.length)).toEqual([1, 1, 1])
})

test('nothing is sent once it was stopped, and nobody waits for it', async () => {
  const world = createWorld(() => {
    throw new ApiError('unavailable')
  })
  world.reports.add(ended('a'))
  world.reports.stop()
  await world.reports.drained()
  expect(world.settled).toEqual([])
})
