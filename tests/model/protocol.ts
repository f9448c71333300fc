/**
 * What servers do, where a world could be otherwise: the product as it is, and the same with one bug planted.
 * The commands are core's own; a planted bug wraps one of them, or leaves out a precaution of the server's.
 */

import type { GrantEvent } from '@tidegate/core'
import { after, grantCommands, instant } from '@tidegate/core'
import type { InvariantName } from './invariants.ts'

type Commands = Pick<
  typeof grantCommands,
  'activate' | 'opened' | 'openFailed' | 'end' | 'closed' | 'shorten' | 'extend' | 'timePassed' | 'dueAt'
>

export type Protocol = {
  readonly commands: Commands
  /** Who opens and who closes exclude each other. */
  readonly grantLock: boolean
  /**
   * Who opens reads the row again once it has the grant's lock, and sends nothing when `opened` would be refused already.
   */
  readonly looksAgain: boolean
  /** `closed` is said only after the target was read and nothing was seen. */
  readonly readsBack: boolean
  /** What looks like an orphan is looked at again, under its lock, before it is closed. */
  readonly tendLooksAgain: boolean
  /**
   * What the reconciler puts off after a fault of its own: whatever it had picked, or that only if it is still due.
   * The product tries the former, and the store refuses it for what has ended.
   */
  readonly setsAside: 'what it picked' | 'what is due'
  /** The order in which `tend` compares; `nothing`: nobody tends. */
  readonly tendReadsFirst: 'target' | 'store' | 'nothing'
  /** Who hears of a later end first. */
  readonly extendsFirst: 'store' | 'target'
  /** A grant whose closing has failed this often is put off for ever. Absent: closing is tried for ever. */
  readonly forgetsAfter?: number
}

/** `packages/server`. */
export const product: Protocol = {
  commands: grantCommands,
  grantLock: true,
  looksAgain: true,
  readsBack: true,
  tendReadsFirst: 'target',
  tendLooksAgain: true,
  setsAside: 'what is due',
  extendsFirst: 'store',
}

export type Planted = {
  readonly name: string
  readonly breaks: InvariantName
  readonly protocol: Protocol
  /** It shows where a grant is extended. */
  readonly extends?: true
}

const withCommands = (commands: Partial<Commands>): Protocol => ({
  ...product,
  commands: { ...grantCommands, ...commands },
})

/** Each breaks the invariant that stands with it, and would break none without it. */
export const planted: readonly Planted[] = [
  {
    name: 'who opens sends it without another look at the row, under the lock',
    breaks: 'nothing left',
    protocol: { ...product, looksAgain: false },
  },
  {
    name: 'what is put off after a fault is due again, also when it has ended meanwhile',
    breaks: 'transitions',
    protocol: { ...product, setsAside: 'what it picked' },
  },
  {
    name: 'expiry is compared with `>` instead of `>=`',
    breaks: 'access',
    // On a clock of whole ticks, `now > end` is `now - 1 >= end`.
    protocol: withCommands({
      activate: (grant, { now, allowed }) =>
        grantCommands.activate(grant, { now: grant.state === 'active' ? instant(now - 1) : now, allowed }),
      opened: (grant, { now, attempt }) => grantCommands.opened(grant, { now: instant(now - 1), attempt }),
      timePassed: (grant, { now, provisioningTimeout }) =>
        grantCommands.timePassed(grant, { now: instant(now - 1), provisioningTimeout }),
    }),
  },
  {
    name: 'the close skips the read-back',
    breaks: 'nothing left',
    protocol: { ...product, readsBack: false },
  },
  {
    name: 'the result of an older attempt counts as that of the latest',
    breaks: 'clock and attempts',
    protocol: withCommands({
      opened: (grant, { now }) => grantCommands.opened(grant, { now, attempt: grant.attempt }),
      openFailed: (grant, failure) => grantCommands.openFailed(grant, { ...failure, attempt: grant.attempt }),
    }),
  },
  {
    name: 'the reconciler forgets a grant whose closing failed twice',
    breaks: 'nothing stays open',
    protocol: { ...product, forgetsAfter: 2 },
  },
  {
    name: 'who opens and who closes do not exclude each other',
    breaks: 'nothing left',
    protocol: { ...product, grantLock: false },
  },
  {
    name: 'a revoke changes the row, and nothing on the target',
    breaks: 'nothing left',
    protocol: withCommands({
      end: (grant, end) => {
        const open = grant.state === 'provisioning' || grant.state === 'active'
        const ended: GrantEvent = { type: 'grant.ended', at: end.at, end }
        return open ? { events: [ended], effects: [] } : grantCommands.end(grant, end)
      },
    }),
  },
  {
    name: 'a failure that may have left something counts as one that left nothing',
    breaks: 'nothing left',
    protocol: withCommands({
      openFailed: (grant, failure) => grantCommands.openFailed(grant, { ...failure, leftNothing: true }),
    }),
  },
  {
    name: 'a clean failure of the latest attempt counts as one of all attempts',
    breaks: 'transitions',
    protocol: withCommands({
      openFailed: (grant, failure) => grantCommands.openFailed({ ...grant, unsureAttempts: 1 }, failure),
    }),
  },
  {
    name: 'a credential is handed out without a look at whether the grant has ended meanwhile',
    breaks: 'ending is final',
    protocol: withCommands({
      opened: (grant, result) =>
        grant.state === 'ending' || grant.state === 'ended'
          ? { events: [], effects: [] }
          : grantCommands.opened(grant, result),
    }),
  },
  {
    name: 'a credential made anew starts the clock again',
    breaks: 'clock and attempts',
    protocol: withCommands({
      activate: (grant, { now, allowed }) => {
        const outcome = grantCommands.activate(grant, { now, allowed })
        if (grant.state !== 'active' || 'refused' in outcome) return outcome
        const longer: GrantEvent = { type: 'grant.shortened', at: now, expiresAt: after(now, grant.duration) }
        return { ...outcome, events: [longer, ...outcome.events] }
      },
    }),
  },
  {
    name: 'a grant that has ended can be activated once more',
    breaks: 'transitions',
    protocol: withCommands({
      activate: (grant, activation) =>
        grantCommands.activate(grant.state === 'ended' ? { ...grant, state: 'ready' } : grant, activation),
    }),
  },
  {
    name: 'tend reads the store before the target, and does not look again',
    breaks: 'only orphans are taken',
    protocol: { ...product, tendReadsFirst: 'store', tendLooksAgain: false },
  },
  {
    name: 'an extension is written down whatever has become of the grant',
    breaks: 'clock and attempts',
    extends: true,
    protocol: withCommands({
      extend: (_grant, { now, request, duration }) => {
        const expiresAt = after(now, duration)
        return { events: [{ type: 'grant.extended', at: now, request, duration, expiresAt }], effects: [] }
      },
    }),
  },
  {
    name: 'the target hears of a later end before the store',
    breaks: 'access',
    extends: true,
    protocol: { ...product, extendsFirst: 'target' },
  },
  {
    name: 'nobody tends the target',
    breaks: 'nothing stays open',
    protocol: { ...product, tendReadsFirst: 'nothing' },
  },
]
