/**
 * A gateway signs in with its key, for a token of some minutes. Each sign-in is later than the one before, so that one
 * that was overheard is good for nothing.
 */

import { createPublicKey, verify } from 'node:crypto'
import { ApiError, gatewayLimits } from '@tidegate/api'
import type { ParsedInput } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { after, parseInstant, seconds } from '@tidegate/core'
import { hashToken } from '../identity/tokens.ts'
import type { Unit } from '../store/change.ts'
import { boundInstant, instantParam } from '../store/database.ts'

export type SignedIn = { readonly token: string; readonly expiresAt: Instant }

type SignIn = ParsedInput<'issueGatewayToken'>

/** @throws {ApiError} `unauthenticated`, without saying what is wrong */
export async function signIn(unit: Unit, input: SignIn): Promise<SignedIn> {
  const { tx, now, runtime } = unit
  const at = parseInstant(input.at)
  const row = await tx.selectFrom('gateway').select('publicKey').where('id', '=', input.gateway).executeTakeFirst()
  const key = row?.publicKey
  const near = at !== undefined && Math.abs(at - now) <= seconds(gatewayLimits.signInSkewSeconds)
  if (!key || !near || !isSigned(input, key)) throw refused()
  // Of two at once with the same words, the second finds the first.
  const first = await tx
    .updateTable('gateway')
    .set({ signedInAt: instantParam(at), lastSeenAt: instantParam(now), address: JSON.stringify(input.address) })
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

/** What stands before a raw Ed25519 key in its DER form (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

function isSigned({ gateway, at, signature }: SignIn, raw: Buffer): boolean {
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
  const said = Buffer.from(`tidegate gateway sign-in\n${gateway}\n${at}\n`)
  return verify(null, said, key, Buffer.from(signature, 'base64'))
}
