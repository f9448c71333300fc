/**
 * A gateway signs in with its key, for a token of some minutes. Each sign-in is later than the one before, so that one
 * that was overheard is good for nothing; and what it says of where clients are led is signed with it.
 */

import { ApiError, gatewayLimits, gatewayShapes } from '@tidegate/api'
import type { ParsedInput } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { after, parseInstant, seconds } from '@tidegate/core'
import type { GatewayRef } from '../identity/identity.ts'
import { hashToken } from '../identity/tokens.ts'
import type { Unit } from '../store/change.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { isSigned } from './signature.ts'

export type SignedIn = { readonly token: string; readonly expiresAt: Instant }

type SignIn = ParsedInput<'issueGatewayToken'>

/** @throws {ApiError} `unauthenticated`, without saying what is wrong */
export async function signIn(unit: Unit, input: SignIn): Promise<SignedIn> {
  const { tx, now, runtime } = unit
  const at = parseInstant(input.at)
  const row = await tx.selectFrom('gateway').select('publicKey').where('id', '=', input.gateway).executeTakeFirst()
  const key = row?.publicKey
  const near = at !== undefined && Math.abs(at - now) <= seconds(gatewayLimits.signInSkewSeconds)
  if (!key || !near || !isSigned({ text: gatewayShapes.signInText(input), key, signature: input.signature }))
    throw refused()
  // Of two at once with the same words, the second finds the first.
  const first = await tx
    .updateTable('gateway')
    .set({
      signedInAt: instantParam(at),
      signedOffAt: null,
      lastSeenAt: instantParam(now),
      address: JSON.stringify(input.address),
    })
    .where('id', '=', input.gateway)
    .where('publicKey', '=', key)
    .where((eb) => eb.or([eb('signedInAt', 'is', null), eb('signedInAt', '<', boundInstant(at))]))
    .returning('id')
    .executeTakeFirst()
  if (!first) throw refused()
  const token = `tgw_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const expiresAt = after(now, seconds(gatewayLimits.tokenSeconds))
  const values = { gateway: first.id, createdAt: instantParam(now), expiresAt: instantParam(expiresAt) }
  unit.send(tx.deleteFrom('gatewayToken').where('expiresAt', '<=', boundInstant(now)).execute())
  unit.send(
    tx
      .insertInto('gatewayToken')
      .values({ hash: hashToken(token), ...values })
      .execute(),
  )
  return { token, expiresAt }
}

const refused = (): ApiError => new ApiError('unauthenticated', { detail: 'The sign-in is not one of a gateway.' })

/** Nobody is led to it until it signs in again. Its token stays good: it has still to tell what becomes of its sessions. */
export async function signOff({ tx, now }: Unit, { id, enrolledAt }: GatewayRef): Promise<void> {
  await tx
    .updateTable('gateway')
    .set({ signedOffAt: instantParam(now) })
    .where('id', '=', id)
    .where('enrolledAt', '=', boundInstant(enrolledAt))
    .execute()
}
