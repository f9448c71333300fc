/** A worker, seen from the process that started it. */

import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { sessionLimits } from '../../postgres/shell/ports.ts'
import { controlLimits as limits } from '../limits.ts'
import type { Client, OfPrimary, OfWorker, Start } from './contract.ts'
import { createTalk, type Port, type Talk } from './talk.ts'

export type Member = {
  /** False: it does not take what it was given before. */
  readonly handOn: (client: Socket) => boolean
  readonly cancel: OfWorker['cancel']
  /** Resolves with how it ended. */
  readonly over: Promise<string>
  readonly stop: () => Promise<void>
}

export type Office = Omit<OfPrimary, 'ready' | 'taken'>

/** @throws GatewayRefusal; there is no process of it then */
export async function startMember(start: Start, office: Office): Promise<Member> {
  const forked = forkWorker()
  const over = new Promise<string>((resolve) =>
    forked.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)),
  )
  let begin: () => void = () => undefined
  const ready = new Promise<void>((resolve) => (begin = resolve))
  const handing = handingTo(forked)
  const ours: OfPrimary = { ...office, ready: () => begin(), taken: handing.taken }
  const talk = createTalk<OfWorker>(portTo(forked), ours)
  try {
    const why = await Promise.race([ready, over])
    if (why !== undefined) throw new Error(`a worker ended before it had begun: ${why}`)
    await talk.ask('start', start)
  } catch (error) {
    forked.kill('SIGKILL')
    await over
    throw error
  }
  let stopped: Promise<void> | undefined
  return {
    handOn: handing.handOn,
    cancel: (cancel) => talk.ask('cancel', cancel),
    over,
    stop: () => (stopped ??= stop(forked, talk, over)),
  }
}

/** Node tells of a channel that has ended not always: not where a connection was on its way. */
const portTo = (forked: ChildProcess): Port => ({
  send: (message) => void forked.send(message),
  onMessage: (hear) => void forked.on('message', hear),
  onOver: (end) => void forked.once('exit', end),
})

type Handing = Pick<Member, 'handOn'> & Pick<OfPrimary, 'taken'>

/**
 * Each is open here as well until the process says that it has it: Node closes none of those that a process was still to
 * be given when it ended.
 */
function handingTo(forked: ChildProcess): Handing {
  const onTheirWay = new Map<number, Socket>()
  let count = 0
  let movedAtMs = 0
  forked.once('exit', () => onTheirWay.forEach((client) => client.destroy()))
  return {
    handOn(client) {
      const now = performance.now()
      if (onTheirWay.size === 0) movedAtMs = now
      if (onTheirWay.size >= limits.workerHanded || now - movedAtMs > limits.workerStuckMs) return false
      const number = ++count
      onTheirWay.set(number, client)
      client.once('close', () => onTheirWay.delete(number))
      client.setTimeout(sessionLimits.handshakeMs, () => client.destroy())
      const message: Client = { is: 'client', number }
      forked.send(message, client, { keepOpen: true }, (error) => {
        if (error !== null) client.destroy()
      })
      return true
    },
    taken(number) {
      movedAtMs = performance.now()
      onTheirWay.get(number)?.destroy()
    },
  }
}

async function stop(forked: ChildProcess, talk: Talk<OfWorker>, over: Promise<unknown>): Promise<void> {
  const late = setTimeout(() => forked.kill('SIGKILL'), limits.workerStopMs)
  // One that ended by itself meanwhile has stopped as well.
  await talk.ask('stop', null).catch(() => undefined)
  // With nobody to hear from it ends.
  if (forked.connected) forked.disconnect()
  await over
  clearTimeout(late)
}

function forkWorker(): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts')
  const file = isSource ? new URL('./worker-main.ts', import.meta.url) : new URL('./worker-main.js', import.meta.url)
  // What reads TypeScript in this process reads none in others.
  const execArgv = isSource ? ['--conditions=source', '--import', import.meta.resolve('tsx')] : process.execArgv
  const forked = fork(fileURLToPath(file), [], { execArgv })
  // What cannot be said to it any more is answered by its end.
  forked.on('error', () => undefined)
  return forked
}
