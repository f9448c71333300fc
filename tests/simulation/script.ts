/** A history that is written down instead of drawn: who is stopped where, and what strikes there. */

import { expect } from 'vitest'
import type { Answer, Call, Process } from './process.ts'
import type { Fault, FaultKind, Strand } from './strands.ts'
import type { World } from './world.ts'
import { callAs } from './world.ts'

type Where = { readonly process?: number; readonly faults?: readonly Fault[] }

export type Script = ReturnType<typeof scriptOf>

export function scriptOf(world: World) {
  let count = 0
  /** Begun, and waiting at its first point. */
  const begin = (
    work: (process: Process) => Promise<unknown>,
    { process = 0, faults = [] }: Where = {},
  ): Promise<Strand> => {
    // Of its own, or two of them would make the same ids.
    const random = world.random(`scripted ${++count}`)
    return world.begin({ name: 'scripted', process, faults, random, done: () => undefined }, work)
  }

  const finish = async (strand: Strand): Promise<unknown> => {
    await world.scheduler.run(strand)
    if (strand.outcome?.kind === 'error') throw strand.outcome.error
    return strand.outcome?.kind === 'value' ? strand.outcome.value : undefined
  }

  const beginCall = (call: Call, where?: Where): Promise<Strand> => begin((process) => process.call(call), where)
  const call = async (wanted: Call, where?: Where): Promise<Answer> =>
    (await finish(await beginCall(wanted, where))) as Answer

  return {
    begin,
    beginCall,
    call,
    finish,
    /** Up to where it would send this next. */
    async until(strand: Strand, label: string): Promise<void> {
      for (let before = -1; before !== strand.passed && !strand.waiting[0]?.effect.label.includes(label);) {
        before = strand.passed
        await world.scheduler.run(strand, 1)
      }
      expect(strand.waiting[0]?.effect.label).toContain(label)
    },
    drain: async (process = 0): Promise<unknown> => finish(await begin((one) => one.drain(), { process })),
    async permitted(role: string, more: object = {}): Promise<string> {
      const { body } = await call(
        post('user:alice', '/v1/requests', { role, duration: '10m', reason: `found ${count}`, ...more }),
      )
      return String(body['grant'])
    },
  }
}

/** What comes of the statement that it would send next. */
export const strikeNext = (faults: Fault[], { passed }: Strand, how: FaultKind): void =>
  void faults.push({ of: 'points', at: passed + 1, how })

export const post = (as: string, path: string, body: object = {}): Call => callAs(as, { method: 'POST', path, body })
export const activate = (grant: string): Call => post('user:alice', `/v1/grants/${grant}/activate`)
export const extend = (grant: string): Call =>
  post('user:alice', `/v1/grants/${grant}/extend`, { duration: '10m', reason: `${grant} goes on` })
export const revoke = (grant: string): Call => post('user:dora', `/v1/grants/${grant}/revoke`, { reason: 'found' })
