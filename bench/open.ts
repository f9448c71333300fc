/**
 * From a request to a login that works: beside the bare SQL statements that make one on the target, and beside the same
 * rows written to a store as well.
 */

import type { Opened } from './access.ts'
import { openByHand, openInTwoCalls, openThroughTidegate, useLogin } from './access.ts'
import { createPaperwork } from './by-hand-rows.ts'
import type { Bench, Row } from './harness.ts'
import { against, interleave, rowOf, timed } from './harness.ts'
import { setUp } from './stand.ts'

export const open: Bench = {
  name: 'open',
  about: 'auto-approved request to usable login',
  async run(options) {
    const rounds = options.rounds ?? (options.quick ? 20 : 200)
    const stand = await setUp(options)
    try {
      options.note('warming up')
      let last: Opened | undefined
      for (let i = 0; i < 20; i++) {
        last = await openThroughTidegate(stand.alice)
        await useLogin(last.login)
        await useLogin(await openByHand(stand.targetAdmin, stand))
      }
      if (!last) throw new Error('Nothing was opened.')
      const paperwork = await createPaperwork(stand.store, last)
      try {
        for (let i = 0; i < 20; i++) await useLogin(await paperwork.open(() => openByHand(stand.targetAdmin, stand)))
        options.note(`${rounds} rounds, sides in turn`)
        const legs = { call: [] as number[], use: [] as number[] }
        const samples = await interleave(
          {
            tidegate: async () => {
              const { login, openMs } = await openThroughTidegate(stand.alice)
              const { ms } = await timed(() => useLogin(login))
              legs.call.push(openMs)
              legs.use.push(ms)
            },
            twoCalls: async () => useLogin((await openInTwoCalls(stand.alice)).login),
            target: async () => useLogin(await openByHand(stand.targetAdmin, stand)),
            both: async () => useLogin(await paperwork.open(() => openByHand(stand.targetAdmin, stand))),
          },
          rounds,
        )
        return rowsOf(samples, legs)
      } finally {
        await paperwork.close()
      }
    } finally {
      await stand.close()
    }
  },
}

type Legs = Readonly<Record<'call' | 'use', readonly number[]>>

function rowsOf(samples: Readonly<Record<string, readonly number[]>>, legs: Legs): readonly Row[] {
  const target = rowOf('bare SQL on the target: make the login, connect, select 1', samples['target'] ?? [])
  const both = rowOf('bare SQL on store and target: the same rows, and that', samples['both'] ?? [])
  const whole = rowOf('Tidegate: request, decide, open, connect, select 1', samples['tidegate'] ?? [])
  const inTwo = rowOf('Tidegate, requested in one call and activated in another', samples['twoCalls'] ?? [])
  return [
    target,
    both,
    against(whole, target, { atMost: 2 }),
    { ...against(whole, both), what: 'the same, against the same rows' },
    rowOf('  of it: the call', legs.call),
    rowOf('  of it: connect and select 1', legs.use),
    against(inTwo, target),
  ]
}
