/** What Tidegate has answered: everything in here was acknowledged, so none of it may ever be lost. */

import type { Output } from '@tidegate/api'
import type { Code, Tally } from './calls.ts'

type Grant = Output<'getGrant'>
type Request = Output<'getRequest'>

/** How the reason of an access begins that is asked for once, however often the call is repeated. */
export const ownReason = 'Order '

/** One access, as its holder saw it. A field is set when the answer that it is of was received. */
export type Life = {
  readonly who: string
  readonly resource: string
  readonly reason: string
  request?: Request
  approved?: { readonly by: string; readonly request: Request }
  opened?: { readonly grant: Grant; readonly login: string }
  session?: { readonly since: number; cutAt?: number }
  /** `expired`: its holder let time do it. */
  end?: { readonly reason: 'done' | 'revoked' | 'expired'; readonly answeredAt: number }
  /** Why it went no further. */
  stopped?: { readonly at: string; readonly refused: Code; readonly detail: string }
}

export type Ledger = {
  readonly lives: Life[]
  readonly tally: Tally
  readonly slowest: { ms: number }
  /** Every checkpoint that was published, by the size of its tree. */
  readonly checkpoints: Map<number, string>
  /** Entries that were listed: where in the log each is. `undefined`: it had no place yet. */
  readonly places: Map<string, number | undefined>
  /** What was seen during the run and must never be. */
  readonly violations: string[]
}

export const createLedger = (): Ledger => ({
  lives: [],
  tally: new Map(),
  slowest: { ms: 0 },
  checkpoints: new Map(),
  places: new Map(),
  violations: [],
})

/** When the session of a life should have ended; `undefined`: it had none, or has no end yet. */
export function endOfSession({ session, opened, end }: Life): number | undefined {
  if (!session || !opened || !end) return undefined
  const expiry = Date.parse(opened.grant.expiresAt ?? '')
  return end.reason === 'expired' ? expiry : Math.min(expiry, end.answeredAt)
}
