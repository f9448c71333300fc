/** A batch of reports: folded one after another, and what is new of them written together. */

import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { GatewayRef } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { insertSessions, leasedGrants, lockReportsOf, lockSessions, updateSession } from '../store/sessions.ts'
import { endStatements, takeOutcome } from '../statements/over.ts'
import type { KnownSession, Report } from './reports.ts'
import { foldReport } from './reports.ts'

type Refused = Output<'reportSessions'>['refused']

export async function takeReports(unit: Unit, gateway: GatewayRef, reports: readonly Report[]): Promise<Refused> {
  const { tx, now } = unit
  await lockReportsOf(tx, gateway.id)
  const ids = [...new Set(reports.map(({ session }) => session))]
  const named = reports.flatMap((report) => (report.what === 'opened' ? [report.grant] : []))
  const [before, leased] = await Promise.all([
    lockSessions(tx, ids),
    leasedGrants(tx, { ids: named, resources: gateway.resources }),
  ])
  const known = new Map(before)
  const refused: Refused = []
  for (const [index, report] of reports.entries()) {
    if (report.what === 'statement') {
      const reason = await takeOutcome(unit, { gateway: gateway.id, ...report })
      if (reason !== undefined) refused.push({ index, reason })
      continue
    }
    const situation = {
      gateway: gateway.id,
      now,
      known: known.get(report.session),
      grantOf: (id: string) => leased.get(id),
    }
    const folded = foldReport(report, situation)
    if ('refused' in folded) {
      refused.push({ index, reason: folded.refused })
      continue
    }
    known.set(report.session, folded.session)
    if (folded.entry) unit.record(folded.entry)
  }
  await write(unit, before, known)
  await endStatements(unit, endedNow(before, known), 'session-ended')
  return refused
}

const endedNow = (before: Sessions, after: Sessions): string[] =>
  [...after.values()].filter(({ id, end }) => end && !before.get(id)?.end).map(({ id }) => id)

type Sessions = ReadonlyMap<string, KnownSession>

async function write({ tx, send }: Unit, before: Sessions, after: Sessions): Promise<void> {
  const changed = [...after.values()].filter((session) => before.get(session.id) !== session)
  const added = changed.filter(({ id }) => !before.has(id))
  for (const session of changed) if (before.has(session.id)) send(updateSession(tx, session))
  if ((await insertSessions(tx, added)) === added.length) return
  throw new ApiError('unavailable', { detail: 'Another gateway told of the same session just now. Send it again.' })
}
