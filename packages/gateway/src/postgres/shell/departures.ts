/**
 * How targets are let go of: once the clients have been told, and a few at a time. Where hundreds of sessions end at one
 * moment, none of their clients waits for another's target, nor for what the machine does about it.
 */

import { postgresLimits as limits } from '../limits.ts'
import { terminate } from '../wire/write.ts'
import { closeSoon } from './farewell.ts'
import type { TargetLogin } from './ports.ts'
import { cancelAtTarget, type OpenTarget } from './target.ts'

export type Leaving = {
  readonly target: OpenTarget
  readonly login: TargetLogin
  readonly isBusy: boolean
}

export type Departures = {
  readonly add: (leaving: Leaving) => void
  /** Resolves when every target is let go of, and what they ran was cancelled once. */
  readonly settled: () => Promise<void>
}

type Key = NonNullable<OpenTarget['key']>

export function createDepartures(): Departures {
  const waiting: Leaving[] = []
  const underWay = new Set<Promise<void>>()
  const cancels = createCancels()
  let isScheduled = false
  let idle: (() => void)[] = []

  const letGo = ({ target, login, isBusy }: Leaving): void => {
    if (!isBusy) {
      closeSoon(target.socket, terminate())
      return
    }
    // In this order: what it has received and not begun would be next once the statement under way is cancelled. That its
    // connection broke is no reason not to: a backend does not notice while it works.
    target.reset()
    const { key } = target
    if (key === undefined) return
    const cancelled = cancels.send(login, key).finally(() => underWay.delete(cancelled))
    underWay.add(cancelled)
    // Once more: a statement that was on its way when the first came had not begun, and could not be cancelled.
    setTimeout(() => void cancels.send(login, key), limits.farewellMs)
  }
  const begin = (): void => {
    if (waiting.length > limits.departuresAtOnce) setTimeout(turn, limits.departuresAfterMs)
    else turn()
  }
  const turn = (): void => {
    for (const leaving of waiting.splice(0, limits.departuresAtOnce)) letGo(leaving)
    if (waiting.length > 0) {
      setImmediate(turn)
      return
    }
    isScheduled = false
    for (const resolve of idle) resolve()
    idle = []
  }

  return {
    add(leaving) {
      waiting.push(leaving)
      if (isScheduled) return
      isScheduled = true
      // What was said to clients is on its way after one turn of the loop, and so is that nothing more follows.
      setImmediate(() => setImmediate(begin))
    },
    async settled() {
      if (isScheduled) await new Promise<void>((resolve) => idle.push(resolve))
      await Promise.all(underWay)
    },
  }
}

type Line = { free: number; readonly waiting: (() => void)[] }

/**
 * For each target one after the other: a PostgreSQL starts a process for each, and where it has no processors to spare they
 * are missing to those who are told. One that takes its time, at a target that is far away or does not answer, keeps no
 * other waiting for long.
 */
function createCancels() {
  const lines = new Map<string, Line>()

  const take = async (place: string): Promise<() => void> => {
    const line = lines.get(place) ?? { free: limits.cancelsAtOnce, waiting: [] }
    lines.set(place, line)
    if (line.free > 0) line.free -= 1
    else await new Promise<void>((resolve) => line.waiting.push(resolve))
    let isPassed = false
    return () => {
      if (isPassed) return
      isPassed = true
      const next = line.waiting.shift()
      if (next !== undefined) next()
      else if (++line.free === limits.cancelsAtOnce) lines.delete(place)
    }
  }

  return {
    async send(login: TargetLogin, key: Key): Promise<void> {
      const askedMs = performance.now()
      const pass = await take(`${login.host}\0${login.port}`)
      const slow = setTimeout(pass, limits.cancelSlowMs)
      // A target that has taken no cancel for so long takes none: its connection being gone has to be enough.
      if (performance.now() - askedMs < limits.cancelMs) await cancelAtTarget(login, key)
      clearTimeout(slow)
      pass()
    },
  }
}
