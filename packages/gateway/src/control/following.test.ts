/** Answers of the control plane that go on: what is told on their lines, and what becomes of one that breaks off. */

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { createWorldForTest, type World } from './testing/world.ts'

const grantOf = (world: World, number: number): World['grant'] => ({
  ...world.grant,
  grant: `grt_01k0000000000000000000000${number}`,
})

/** Two clients, each with a grant of its own, whose gateway follows. */
async function followed() {
  const world = await createWorldForTest()
  const { plane } = world
  for (const grant of [grantOf(world, 2), grantOf(world, 3)]) {
    plane.releases.set(grant.grant, plane.releases.get(world.grant.grant)!)
    plane.put(grant)
  }
  const clients = [
    await world.connect({ user: grantOf(world, 2).grant }),
    await world.connect({ user: grantOf(world, 3).grant }),
  ]
  const asked = once(plane.happened, 'syncGateway')
  plane.follow()
  await asked
  return { world, plane, clients }
}

const questions = ({ plane }: World): number => plane.calls.filter((call) => call === 'syncGateway').length

test('each end on a line of one answer reaches its session as it comes', async () => {
  const { world, plane, clients } = await followed()
  plane.end(grantOf(world, 2).grant, 'access was revoked by user:bob')
  expect(await clients[0]!.ended).toContain('access was revoked by user:bob')
  const before = questions(world)
  plane.end(grantOf(world, 3).grant, 'access was revoked by user:carol')
  expect(await clients[1]!.ended).toContain('access was revoked by user:carol')
  expect(questions(world)).toBe(before)
})

test.each([
  ['in the middle of a line', 'middle'],
  ['after a line', 'after'],
] as const)('an answer that breaks off %s is asked on from where it was, and nothing is missed', async (_, where) => {
  const { world, plane, clients } = await followed()
  plane.end(grantOf(world, 2).grant, 'access was revoked by user:bob')
  await clients[0]!.ended
  const again = once(plane.happened, 'syncGateway')
  plane.cutFollowed(where)
  await again
  plane.end(grantOf(world, 3).grant, 'access was revoked by user:carol')
  expect(await clients[1]!.ended).toContain('access was revoked by user:carol')
  await (await world.connect()).query('select 1')
})
