/** Findings: what Tidegate wants a human to look at. One open finding per kind and subject. */

import type { Instant } from '@tidegate/core'
import { after, seconds } from '@tidegate/core'
import type { Unit } from '../store/change.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { newId } from '../runtime.ts'

export const findingKinds = {
  'close-failing': 'A grant has ended and its target cannot be closed; Tidegate keeps trying.',
  'orphan-login': 'A login of ours without a live grant was found on a target, and closed.',
  'login-missing': 'An active grant has no login on its target: something else removed it.',
  'target-untended': 'A target cannot be read or put in order; Tidegate keeps trying.',
  'break-glass-used': 'Someone broke glass, and it is not reviewed yet.',
  'review-overdue': 'Nobody has reviewed a use of break-glass in time.',
  'standing-power-used': 'Someone administered by standing power, and not by a grant.',
  'standing-owners': 'More people have the standing power of an owner than a company needs for emergencies.',
  'refusals-many': 'Someone keeps trying to be let in, and is refused.',
  'webhook-failing': 'What a webhook should get does not arrive, or could not be sent.',
  'administrators-expiring': 'Fewer administrators than are needed have a token that lasts two more weeks.',
} as const

export type FindingKind = keyof typeof findingKinds

/** They close with their review, and by nobody's word before. */
export const closeWithReview: ReadonlySet<string> = new Set<FindingKind>(['break-glass-used', 'review-overdue'])
export type Severity = 'low' | 'medium' | 'high'

type Finding = {
  readonly kind: FindingKind
  /** `resource:orders-db`, `grant:grt_…`. */
  readonly subject: string
  readonly severity: Severity
  readonly message: string
}

/** What was seen so recently need not be seen again: of a row that many write, each waits for the one before. */
const seenLately = seconds(10)

/** Opens it, or says that it is still so. Only opening leaves an entry. */
export async function openFinding(unit: Unit, { kind, subject, severity, message }: Finding): Promise<void> {
  const at = instantParam(unit.now)
  const known = await unit.tx
    .selectFrom('finding')
    .select(['lastSeenAt', 'message', 'severity'])
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('closedAt', 'is', null)
    .executeTakeFirst()
  const isSame = known?.message === message && known.severity === severity
  if (known && isSame && unit.now < after(known.lastSeenAt, seenLately)) return
  const seen = await unit.tx
    .updateTable('finding')
    .set({ lastSeenAt: at, message, severity })
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('closedAt', 'is', null)
    .executeTakeFirst()
  if (seen.numUpdatedRows > 0n) return
  const id = newId(unit.runtime, 'finding')
  const opened = await unit.tx
    .insertInto('finding')
    .values({ id, kind, subject, severity, message, openedAt: at, lastSeenAt: at, closedAt: null })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  // Otherwise someone else did, at the same moment.
  if (opened) unit.record({ type: 'finding.opened', at: unit.now, fields: { finding: id, kind, subject, severity } })
}

type Over = {
  readonly kind: FindingKind
  readonly subject: string
  /** Only where nobody has said since then that it is so: another server may know better. Absent: it is known. */
  readonly unseenSince?: Instant
}

/** It is no longer so. */
export async function closeFinding(unit: Unit, { kind, subject, unseenSince }: Over): Promise<void> {
  const closed = await unit.tx
    .updateTable('finding')
    .set({ closedAt: instantParam(unit.now) })
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('closedAt', 'is', null)
    .$if(unseenSince !== undefined, (query) => query.where('lastSeenAt', '<=', boundInstant(unseenSince as Instant)))
    .returning('id')
    .execute()
  for (const { id } of closed)
    unit.record({ type: 'finding.closed', at: unit.now, fields: { finding: id, kind, subject } })
}
