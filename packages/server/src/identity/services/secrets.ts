/** Secrets of services that no platform vouches for: made here, shown once, never without an end. */

import { ApiError } from '@tidegate/api'
import type { Instant, Millis, ServiceSecretId } from '@tidegate/core'
import { after, formatDuration, formatInstant } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { DeclaredService } from '../../configuration/schema.ts'
import { newId } from '../../runtime.ts'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { endMachineLogins } from '../machines/machine-logins.ts'
import { OAuthError } from '../oauth/errors.ts'
import type { OAuthDeps, TokenAnswer, TokenRequest } from '../oauth/grant-type.ts'
import { hashToken } from '../tokens.ts'
import { admit } from './admit.ts'

export type SecretRow = Selectable<Tables['serviceSecret']>

const form = /^tdk_[A-Za-z0-9_-]{43}$/

type Making = { readonly service: DeclaredService; readonly lasts: Millis; readonly by: string }

/** @throws {ApiError} where configuration allows none, or not for so long, or there are two already */
export async function makeSecret(
  unit: Unit,
  { service, lasts, by }: Making,
): Promise<{ readonly row: SecretRow; readonly secret: string }> {
  const { tx, now, runtime } = unit
  const longest = service.secrets?.longest
  if (longest === undefined)
    throw new ApiError('forbidden', {
      detail: `Configuration allows no secrets for ${service.id}. A token of its platform, or a key, is the better way.`,
    })
  if (lasts > longest) {
    const message = `A secret of ${service.id} is good for ${formatDuration(longest)} at most.`
    throw new ApiError('invalid-input', { problems: [{ field: 'lasts', message, remedy: 'Write less.' }] })
  }
  // Of two who make the third at once one is late.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`service-secret ${service.id}`}, 0))`.execute(tx)
  const good = await goodSecrets(tx, service.id, now)
  if (good.length >= identityLimits.secretsOfOne)
    throw new ApiError('secret-limit', { detail: `They are ${good.map(({ id }) => id).join(' and ')}.` })
  const secret = `tdk_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const id: ServiceSecretId = newId(runtime, 'serviceSecret')
  const expiresAt = after(now, lasts)
  const row = await tx
    .insertInto('serviceSecret')
    .values({
      id,
      service: service.id,
      hash: hashToken(secret),
      madeAt: instantParam(now),
      madeBy: by,
      expiresAt: instantParam(expiresAt),
      lastUsedAt: null,
      revokedAt: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const fields = { secret: id, service: service.id, expiresAt: formatInstant(expiresAt), by }
  unit.record({ type: 'service-secret.created', at: now, fields })
  return { row, secret }
}

const goodSecrets = (reader: Reader, service: string, now: Instant): Promise<SecretRow[]> =>
  reader
    .selectFrom('serviceSecret')
    .selectAll()
    .where('service', '=', service)
    .where('revokedAt', 'is', null)
    .where('expiresAt', '>', boundInstant(now))
    .orderBy('id')
    .execute()

/** And the logins that it was used for. Twice is once. */
export async function revokeSecret(unit: Unit, { row, by }: { row: SecretRow; by: string }): Promise<void> {
  const { tx, now } = unit
  const first = await tx
    .updateTable('serviceSecret')
    .set({ revokedAt: instantParam(now) })
    .where('id', '=', row.id)
    .where('revokedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!first) return
  const logins = await endMachineLogins(unit, { secret: row.id }, { reason: 'secret-revoked', by })
  const fields = { secret: row.id, service: row.service, logins: logins.length, by }
  unit.record({ type: 'service-secret.revoked', at: now, fields })
}

type Showing = { readonly asked: TokenRequest; readonly service: string; readonly secret: string }

/** @throws {OAuthError} `invalid_client`, without saying whether there is such a service */
export async function admitBySecret(deps: OAuthDeps, { asked, service, secret }: Showing): Promise<TokenAnswer> {
  const answer = form.test(secret)
    ? await change(deps, async (unit) => {
        const { tx, now } = unit
        const hash = hashToken(secret)
        const snapshot = await deps.configurations.current(tx)
        const allowed = snapshot.declared.services.some((one) => one.id === service && one.secrets)
        const row = (await goodSecrets(tx, service, now)).find((one) => one.hash.equals(hash))
        if (!row || !allowed) return undefined
        const lastUsedAt = instantParam(now)
        await tx.updateTable('serviceSecret').set({ lastUsedAt }).where('id', '=', row.id).execute()
        const proof = { by: 'secret', secret: row.id } as const
        const authentication = { method: 'secret', at: now } as const
        const lasts = identityLimits.machineLoginUsual
        return admit(deps, unit, {
          asked,
          admission: { service, proof, authentication, lasts, noLongerThan: row.expiresAt },
        })
      })
    : undefined
  if (!answer) throw new OAuthError('invalid_client', 'The service or its secret is not known, or the secret is over.')
  return answer
}
