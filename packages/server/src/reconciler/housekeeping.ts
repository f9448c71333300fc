/** Throws away what has served its purpose and proves nothing. */

import { limits } from '@tidegate/api'
import type { Millis } from '@tidegate/core'
import { after, days, instant } from '@tidegate/core'
import type { Configurations } from '../configuration/configurations.ts'
import { forgetOverdue } from '../gateways/forgetting.ts'
import { loseSilentSessions } from '../gateways/lost-sessions.ts'
import { closeViewsLeft } from '../gateways/views.ts'
import { closeFinding, openFinding } from '../findings/findings.ts'
import { administratorsNeeded, workingAdministrators } from '../identity/administrators.ts'
import type { FindPrincipals } from '../identity/principals.ts'
import { tellCounted } from '../identity/refusals.ts'
import type { Runtime } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'

/** A signal that went stale this long ago tells nobody anything. */
const staleSignalsKept: Millis = days(7)

/** Longer than what was opened through one lasts. Who came and went is in the log. */
const loginsKept: Millis = days(30)

/** Tokens end by themselves; whoever has to make new ones hears of it this long before. */
const warnBefore: Millis = days(14)

/** Two who are on holiday at once still leave one. More is a habit. */
const standingOwnersMost = 3

type Deps = {
  readonly db: Database
  readonly runtime: Runtime
  readonly configurations: Configurations
  readonly findPrincipals: FindPrincipals
}

export async function housekeeping(deps: Deps): Promise<void> {
  const { db, runtime } = deps
  const now = runtime.now()
  const keysBefore = instant(now - days(limits.idempotencyKeyDays))
  await db.deleteFrom('idempotency').where('at', '<', boundInstant(keysBefore)).execute()
  await db
    .deleteFrom('signal')
    .where('staleAt', '<', boundInstant(instant(now - staleSignalsKept)))
    .execute()
  await db.deleteFrom('gatewayToken').where('expiresAt', '<=', boundInstant(now)).execute()
  await closeViewsLeft(db, now)
  for (const table of ['spentToken', 'accessToken', 'authorizationCode', 'deviceAuthorization', 'invitation'] as const)
    await db.deleteFrom(table).where('endsAt', '<=', boundInstant(now)).execute()
  for (const table of ['login', 'machineLogin'] as const)
    await db
      .deleteFrom(table)
      .where('endsAt', '<', boundInstant(instant(now - loginsKept)))
      .execute()
  await change(deps, tellCounted)
  await change(deps, loseSilentSessions)
  await change(deps, (unit) => forgetOverdue(unit, deps.configurations))
  await change(deps, (unit) => warnOfLockout(unit, deps))
  await change(deps, (unit) => warnOfStandingOwners(unit, deps))
}

/** Those who can always do everything are few, and each is known by name. */
async function warnOfStandingOwners(unit: Unit, { configurations, findPrincipals }: Deps): Promise<void> {
  const snapshot = await configurations.current(unit.tx)
  const { size } = await workingAdministrators(unit.tx, { after: snapshot, now: unit.now, findPrincipals })
  const { administrators } = snapshot.declared.settings
  const about = { kind: 'standing-owners', subject: 'settings:administrators' } as const
  if (size <= standingOwnersMost) return closeFinding(unit, about)
  const message = `${size} people in ${administrators} have the standing power of an owner. Keep ${standingOwnersMost} for emergencies; the others ask for tidegate/owner when they need it.`
  await openFinding(unit, { ...about, severity: 'medium', message })
}

/** Configuration cannot lock out its administrators; time still could. */
async function warnOfLockout(unit: Unit, { configurations, findPrincipals }: Deps): Promise<void> {
  const snapshot = await configurations.current(unit.tx)
  const under = { after: snapshot, now: after(unit.now, warnBefore), findPrincipals }
  const left = await workingAdministrators(unit.tx, under)
  const about = { kind: 'administrators-expiring', subject: 'settings:administrators' } as const
  if (left.size >= administratorsNeeded(snapshot)) return closeFinding(unit, about)
  const message = `In two weeks ${left.size} administrators have a token that works, and ${administratorsNeeded(snapshot)} are needed. Give them new ones.`
  await openFinding(unit, { ...about, severity: 'high', message })
}
