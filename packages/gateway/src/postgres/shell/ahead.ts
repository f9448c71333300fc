/**
 * Connections to targets that are opened while the client still proves who it is, so that one login does not wait for
 * the other. There is one for each proof that was made a moment ago, with the same login from the same address, and one
 * for the first who knocks with a grant: a stranger who knows the name of a grant opens that one, and without it nothing.
 * Nothing is said on it but our own login until its client has proved itself and was admitted, and it is used only where
 * it is what the admission asks for.
 */

import { setMaxListeners } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { after, instant, type Millis } from '@tidegate/core'
import { postgresLimits as limits } from '../limits.ts'
import type { MakeKeys } from '../scram/keys.ts'
import { type Comer, createCredits } from './credits.ts'
import type { Owner, Places } from './places.ts'
import type { Admission, Foreseen, GatewayPorts, TargetLogin } from './ports.ts'
import { openTarget, type OpenTarget } from './target.ts'

/** One connection that was opened ahead. */
export type Early = {
  /**
   * With the place that it has among the sessions; what comes of it is `undefined` where it is of no use any more.
   * `undefined` at once: it is not for this admission, and closed.
   */
  readonly take: (admission: Admission) => Promise<OpenTarget | undefined> | undefined
  /** Closes it, unless it was taken. */
  readonly drop: () => void
}

export type Ahead = {
  /** `undefined`: nothing is opened before the proof. */
  readonly begin: (coming: Coming) => Early | undefined
  /** Has proved itself, was admitted, and has its session. */
  readonly opened: (comer: Comer) => void
}

type Coming = Comer & {
  /** As the client wants its session to begin. */
  readonly parameters: ReadonlyMap<string, string>
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal
}

type AheadDeps = {
  readonly ports: GatewayPorts
  readonly places: Pick<Places, 'reserveAhead' | 'keep' | 'release'>
  readonly keysOf: MakeKeys
}

export function createAhead(deps: AheadDeps): Ahead {
  const { authority, clock } = deps.ports
  const credits = createCredits(clock.elapsedMs)
  return {
    begin(coming) {
      const foreseen = authority.foresee?.(coming.login)
      if (foreseen === undefined || !(foreseen.isFirst || credits.spend(coming))) return undefined
      return openAhead(deps, coming, foreseen)
    },
    opened: credits.earn,
  }
}

function openAhead(deps: AheadDeps, { parameters, signal }: Coming, foreseen: Foreseen): Early | undefined {
  const { places, keysOf, ports } = deps
  const { clock, random } = ports
  const { grant, principal, deadline, over } = foreseen
  const owner: Owner = { grant, principal }
  const dropped = new AbortController()
  let isSettled = false
  /** Absent: not known yet. */
  let aim: TargetLogin | undefined

  const settle = (): void => {
    isSettled = true
    cancelDeadline()
    over.removeEventListener('abort', drop)
  }
  const drop = (): void => {
    if (isSettled) return
    settle()
    places.release(owner)
    dropped.abort()
  }
  if (over.aborted || !places.reserveAhead(owner, drop)) return undefined
  const latest = Math.min(deadline, after(clock.now(), limits.aheadMs as Millis))
  const cancelDeadline = clock.at(instant(latest), drop)
  // One for each that is under way, of which credits and places bound the number: more than Node expects of one signal.
  setMaxListeners(0, over)
  over.addEventListener('abort', drop)
  const both = AbortSignal.any([signal, dropped.signal])
  const open = async (): Promise<OpenTarget | undefined> => {
    aim = await foreseen.target
    if (aim === undefined || both.aborted) return undefined
    return openTarget({ target: aim, parameters, random, signal: both, keysOf })
  }
  // What went wrong is found out again, and told, by whoever opens another.
  const opening = open().catch(() => undefined)

  return {
    take(admission) {
      if (!isSettled && !leadsThere({ grant, principal, target: aim }, admission)) drop()
      if (isSettled) return undefined
      settle()
      places.keep(owner)
      return opening.then(asOpened)
    },
    drop,
  }
}

type Lead = Owner & { readonly target: TargetLogin | undefined }

const leadsThere = (lead: Lead, { grant, principal, target }: Admission): boolean =>
  grant === lead.grant && principal === lead.principal && isDeepStrictEqual(target, lead.target)

/** One on which anything has come since it was ready, its end most of all, is not what it was opened to be. */
function asOpened(opened: OpenTarget | undefined): OpenTarget | undefined {
  if (opened === undefined) return undefined
  const { socket } = opened
  if (!socket.destroyed && socket.readable && socket.readableLength === 0) return opened
  socket.destroy()
  return undefined
}
