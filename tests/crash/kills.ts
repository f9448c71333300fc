/** One server, killed at random moments under load and started again on the same store. */

import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import type { Fleet, Member } from './fleet.ts'
import type { Outcome } from './scenario.ts'
import { play } from './scenario.ts'

type Kills = { readonly kills: number; readonly progress?: (done: number) => void }

/** How long it lives, and now and then not even until it answers. */
const longestLifeMs = 2_500
const longestStartMs = 1_500
const duringStart = 0.2

/** Resolves with how long it takes until it has its store and its configuration, which is longer than to answer at all. */
async function works(fleet: Fleet, member: Member): Promise<number> {
  const since = performance.now()
  await member.answers()
  await eventually({ what: `${member.name} works`, withinMs: 60_000 }, () => fleet.clientOf('alice', member).whoami({}))
  return performance.now() - since
}

export async function killAtRandom(fleet: Fleet, { kills, progress }: Kills): Promise<Outcome> {
  const random = fleet.random('kills')
  const [member] = fleet.members
  if (!member) throw new Error('A fleet has a server.')
  return play(fleet, {
    name: `a server killed ${kills} times`,
    async chaos() {
      for (let kill = 1; kill <= kills; kill++) {
        const starting = random.chance(duringStart)
        if (!member.isUp()) member.launch()
        // Where everything is slow, something is to happen in a life all the same.
        const longestMs = starting ? longestStartMs : Math.max(longestLifeMs, await works(fleet, member))
        await delay(random.next() * longestMs)
        await member.kill()
        progress?.(kill)
      }
    },
  })
}
