/** What a run came to, for people to read beside its seed. */

import type { Row } from './cluster.ts'
import type { Fleet } from './fleet.ts'
import type { Ledger } from './ledger.ts'
import { endOfSession } from './ledger.ts'

export type Figures = Readonly<Record<string, number | string>>

type Facts = { readonly ledger: Ledger; readonly entries: readonly Row[]; readonly grants: readonly Row[] }

export async function figuresOf({ inStore }: Fleet, { ledger, entries, grants }: Facts): Promise<Figures> {
  const { lives, checkpoints, tally, slowest } = ledger
  const findings = await inStore(
    `select kind, count(*)::int as count, count(*) filter (where closed_at is null)::int as open
     from tidegate.finding group by kind order by kind`,
  )
  const late = latenesses(ledger)
  const at = (share: number): number => late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0
  return {
    requests: lives.filter(({ request }) => request).length,
    grants: grants.length,
    opened: lives.filter(({ opened }) => opened).length,
    sessions: lives.filter(({ session }) => session).length,
    ended: grants.filter(({ state }) => state === 'ended').length,
    entries: entries.length,
    checkpoints: checkpoints.size,
    answers: [...tally].map(([code, count]) => `${code} ${count}`).join(', '),
    'slowest answer, ms': Math.round(slowest.ms),
    'cut after its end, ms: median, 95%, most': `${at(0.5)}, ${at(0.95)}, ${late.at(-1) ?? 0}`,
    findings: findings
      .map(({ kind, count, open }) => `${String(kind)} ${String(count)} (${String(open)} open)`)
      .join(', '),
  }
}

/** By how much each session outlived its grant, in milliseconds, shortest first. One that is not cut outlives it for ever. */
export const latenesses = ({ lives }: Ledger): number[] =>
  lives
    .flatMap((life) => {
      const end = endOfSession(life)
      if (end === undefined) return []
      return [(life.session?.cutAt ?? Number.POSITIVE_INFINITY) - end]
    })
    .toSorted((a, b) => a - b)

/** By how much the last of them did. */
export const longestLateness = (ledger: Ledger): number => latenesses(ledger).at(-1) ?? 0
