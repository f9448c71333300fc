/**
 * A gateway of several processes: this one has the folder, the identity and the place to listen, hands connections on in
 * turn, and keeps the workers that do the rest. Each of them hears the control plane by itself, so that what ends access
 * takes no detour.
 */

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { instant } from '@tidegate/core'
import { workerOf } from '../../share.ts'
import type { Address } from '../contract.ts'
import { putBack } from '../inside.ts'
import { controlLimits as limits } from '../limits.ts'
import type { Reached, RunningGateway } from '../one-process.ts'
import { cannotListen, GatewayRefusal } from '../refusal.ts'
import { backoffMs, pause } from '../retry.ts'
import { addressOf, type GatewayOptions } from '../settings.ts'
import type { Start } from './contract.ts'
import { type Door, openDoor } from './door.ts'
import { type Member, type Office, startMember } from './member.ts'

type Around = {
  readonly workers: number
  readonly mockSecret: Uint8Array
  readonly reach: (address: Address) => Promise<Reached>
}

/** @throws GatewayRefusal */
export async function startWorkers(options: GatewayOptions, around: Around): Promise<RunningGateway> {
  const { listen } = options
  const members = new Map<number, Member>()
  const door = await openDoor(listen, dealing(members, around.workers)).catch((error) => cannotListen(listen, error))
  try {
    const reached = await around.reach(addressOf(options, door.port))
    await putBack(options)
    return await startAll({ options, around, members, door, reached })
  } catch (error) {
    door.close()
    throw error
  }
}

/** In turn. One that is not there, or stands still, is passed over; where there is no other nobody comes in. */
function dealing(members: ReadonlyMap<number, Member>, of: number): (client: Socket) => boolean {
  let last = -1
  return (client) => {
    for (let i = 0; i < of; i++) {
      last = (last + 1) % of
      if (members.get(last)?.handOn(client) === true) return true
    }
    return false
  }
}

type House = {
  readonly options: GatewayOptions
  readonly around: Around
  readonly members: Map<number, Member>
  readonly door: Door
  readonly reached: Reached
}

async function startAll(house: House): Promise<RunningGateway> {
  const { around, members, door, reached, options } = house
  const stopping = new AbortController()
  const { signal } = stopping
  let lose: (why: string) => void = () => undefined
  const lost = new Promise<string>((resolve) => (lose = resolve))
  // Those that stop have still to tell what became of their sessions.
  const closed = new AbortController()
  const office = createOffice(house, { lose, signal: closed.signal })
  const start = async (worker: number): Promise<void> => {
    members.set(worker, await startMember(startOf(house, worker), office))
  }
  const stopMembers = async (): Promise<void> => {
    await Promise.all(Array.from(members.values(), (member) => member.stop()))
  }

  const numbers = Array.from({ length: around.workers }, (_, worker) => worker)
  const outcomes = await Promise.allSettled(numbers.map(start))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    await stopMembers()
    throw failed.reason
  }
  const keeping = numbers.map((worker) => keep(worker, { members, start, lose, signal, log: options.log }))
  const stop = async (): Promise<void> => {
    stopping.abort()
    door.close()
    await stopMembers()
    await Promise.all(keeping)
    closed.abort()
  }
  let stopped: Promise<void> | undefined
  const { host, port } = door
  return { id: reached.gateway, host, port, lost, stop: () => (stopped ??= stop()) }
}

/** What it is told is sent as JSON, which leaves out what is not there. */
function startOf({ options, around, door, reached }: House, worker: number): Start {
  const { url, dir, listen, advertise, tls, openWithoutServerMs } = options
  const told = { url, dir, listen: { ...listen, port: door.port }, advertise, tls, openWithoutServerMs }
  return {
    options: told as Start['options'],
    gateway: reached.gateway,
    share: { worker, of: around.workers },
    mockSecret: Buffer.from(around.mockSecret).toString('base64'),
  }
}

type Ending = { readonly lose: (why: string) => void; readonly signal: AbortSignal }

/** What all workers ask. */
function createOffice({ options, around, members, reached }: House, { lose, signal }: Ending): Office {
  let last: Promise<unknown> = Promise.resolve()
  return {
    // One after the other: each is to be later than the one before.
    signIn({ now }) {
      const signedIn = last.then(() => reached.signIn({ now: instant(now), signal }))
      last = signedIn.catch(() => undefined)
      return signedIn
    },
    cancel: async (cancel) => members.get(workerOf(cancel.processId, around.workers))?.cancel(cancel),
    log: ([event, facts]) => options.log(event, facts),
    lost: lose,
  }
}

type Keeping = Ending & {
  readonly members: Map<number, Member>
  readonly start: (worker: number) => Promise<void>
  readonly log: GatewayOptions['log']
}

/** One that ended by itself is started again, and finds what it left. Resolves when it is not to be any more. */
async function keep(worker: number, { members, start, lose, signal, log }: Keeping): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    const begunMs = performance.now()
    const why = await members.get(worker)?.over
    if (signal.aborted) return
    if (members.delete(worker)) log('worker-ended', { worker, why })
    failures = performance.now() - begunMs > limits.workerSettledMs ? 1 : failures + 1
    await pause(backoffMs(failures, randomBytes), signal)
    if (signal.aborted) return
    try {
      await start(worker)
      log('worker-started', { worker })
    } catch (error) {
      log('worker-not-started', { worker, why: String(error) })
      if (error instanceof GatewayRefusal && error.code === 'unknown') lose(error.message)
    }
  }
  // It was on its way when the rest was stopped.
  await members.get(worker)?.stop()
}
