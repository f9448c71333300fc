/** A fleet that is let go of when its test is over. */

import type { TestContext } from 'vitest'
import type { EmbeddedFleet, StoreFleet } from './fleet.ts'
import { announceSeed, chooseSeed, startEmbeddedFleet, startFleet } from './fleet.ts'

type Options = Omit<Parameters<typeof startFleet>[0], 'seed'>

/** Of the test itself: several of them run at the same time. */
type Context = Pick<TestContext, 'onTestFinished'>

type Named = { readonly scenario: string }

const endWithinMs = 60_000

export async function fleetForTest(
  { onTestFinished }: Context,
  { scenario, ...options }: Options & Named,
): Promise<StoreFleet> {
  const seed = chooseSeed()
  announceSeed(scenario, seed)
  const fleet = await startFleet({ ...options, seed })
  onTestFinished(() => fleet.end(), endWithinMs)
  return fleet
}

export async function embeddedFleetForTest(
  { onTestFinished }: Context,
  { scenario, disk }: Named & { readonly disk?: string },
): Promise<EmbeddedFleet> {
  const seed = chooseSeed()
  announceSeed(scenario, seed)
  const fleet = await startEmbeddedFleet({ seed, disk })
  onTestFinished(() => fleet.end(), endWithinMs)
  return fleet
}
