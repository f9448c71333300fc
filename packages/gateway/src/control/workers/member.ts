/** A worker, seen from the process that started it. */

import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { controlLimits as limits } from '../limits.ts'
import type { OfPrimary, OfWorker, Start } from './contract.ts'
import { createTalk, type Talk } from './talk.ts'

export type Member = {
  /** False: it does not take what it was given before. */
  readonly handOn: (client: Socket) => boolean
  readonly cancel: OfWorker['cancel']
  /** Resolves with how it ended. */
  readonly over: Promise<string>
  readonly stop: () => Promise<void>
}

export type Office = Omit<OfPrimary, 'ready'>

/** @throws GatewayRefusal; there is no process of it then */
export async function startMember(start: Start, office: Office): Promise<Member> {
  const forked = forkWorker()
  const over = new Promise<string>((resolve) =>
    forked.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)),
  )
  let begin: () => void = () => undefined
  const ready = new Promise<void>((resolve) => (begin = resolve))
  const talk = createTalk<OfWorker>(forked, { ...office, ready: () => begin() } satisfies OfPrimary)
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
    handOn: handingTo(forked),
    cancel: (cancel) => talk.ask('cancel', cancel),
    over,
    stop: () => (stopped ??= stop(forked, talk, over)),
  }
}

/** Each is sent once the process has taken the one before, and kept here until then. */
function handingTo(forked: ChildProcess): Member['handOn'] {
  let onTheirWay = 0
  let movedAtMs = 0
  return (client) => {
    const now = performance.now()
    if (onTheirWay === 0) movedAtMs = now
    if (onTheirWay >= limits.workerHanded || now - movedAtMs > limits.workerStuckMs) return false
    onTheirWay += 1
    forked.send({ is: 'client' }, client, (error) => {
      onTheirWay -= 1
      movedAtMs = performance.now()
      // It has gone meanwhile, and nobody else has been told of this one.
      if (error !== null) client.destroy()
    })
    return true
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
