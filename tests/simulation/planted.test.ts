/** The simulation is able to fail: bugs are planted, and each is told by the invariant that it breaks. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { benchForTests } from './bench-for-tests.ts'
import { checkInvariants, endings, invariants, judgements } from './invariants.ts'
import { findPlanted, plantedBugs, rareBugs } from './planted.ts'
import { activate, revoke, scriptOf } from './script.ts'
import type { Planted, World } from './world.ts'
import { createWorld } from './world.ts'

const bench = benchForTests()

describe('the simulation finds', () => {
  test.each(Object.entries(plantedBugs))('%s', { timeout: 120_000 }, async (_name, bug) => {
    expect(await findPlanted(bench(), bug), `no history tells of it by ${bug.caughtBy}`).toBeDefined()
  })
})

describe('by a history that is written down it finds', () => {
  const plant = async (planted: Planted): Promise<World> => {
    const world = await createWorld(bench(), { seed: 'written', planted })
    world.skews.fill(0)
    return world
  }
  const toldBy = async (world: World): Promise<string[]> => {
    await world.look()
    checkInvariants(world)
    return world.problems.map(({ invariant }) => invariant)
  }

  test.each([
    ['sound', {}, []],
    ['one that does not look again under the lock', rareBugs.looksOnce, ['nothing-open-without-a-grant']],
  ])('an opener that is late, and %s', async (_what, planted, told) => {
    const world = await plant(planted)
    const { beginCall, call, drain, finish, permitted, until } = scriptOf(world)
    const grant = await permitted('orders/read')
    const opener = await beginCall(activate(grant))
    await until(opener, 'pg_try_advisory_xact_lock')
    await call(revoke(grant), { process: 1 })
    await drain(1)
    await finish(opener)
    expect(await toldBy(world)).toEqual(told)
  })

  test.each([
    ['sound', {}, []],
    ['ones that do not exclude each other', rareBugs.locksNothing, ['nothing-open-without-a-grant']],
  ])('an opener and a closer on one target, and %s', async (_what, planted, told) => {
    const world = await plant(planted)
    const { beginCall, call, drain, finish, permitted, until } = scriptOf(world)
    const grant = await permitted('orders/read')
    const opener = await beginCall(activate(grant))
    await until(opener, 'orders: send')
    await call(revoke(grant), { process: 1 })
    await drain(1)
    await finish(opener)
    expect(await toldBy(world)).toEqual(told)
  })
})

const names = [invariants, judgements, endings].flatMap((table) => Object.keys(table))

test('the page says of every invariant which of the design it holds, and of no other', () => {
  const rows = readFileSync('docs/design/simulation.md', 'utf8').matchAll(/^\| \d [^|]+\|([^|]+)\|/gm)
  const said = new Set([...rows].flatMap((row) => [...row[1]!.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]!)))
  expect([...said].toSorted()).toEqual(names.toSorted())
})

test('every invariant has a bug that breaks it', () => {
  const broken = new Set<string>(Object.values(plantedBugs).map(({ caughtBy }) => caughtBy))
  expect(names.filter((name) => !broken.has(name))).toEqual([])
})
