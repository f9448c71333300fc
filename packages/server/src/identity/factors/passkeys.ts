/**
 * Passkeys (WebAuthn). The ceremonies' checks and cryptography are @simplewebauthn/server's; what is kept, and that each
 * counts once, is ours. The authenticator always verifies its user, so that one is two factors and cannot be phished.
 */

import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import type { Selectable } from 'kysely'
import { newId } from '../../runtime.ts'
import type { Unit } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { factorLimits } from './limits.ts'

export type PasskeyRow = Selectable<Tables['passkey']>

/** Of this server, as browsers see it. A passkey is good here and nowhere else. */
export type Place = { readonly origin: string; readonly host: string }

/** `undefined`: browsers make none for an address without a name, or reached in the clear. */
export function placeOf(publicUrl: string): Place | undefined {
  const { origin, hostname, protocol } = new URL(publicUrl)
  const secure = protocol === 'https:' || hostname === 'localhost'
  return secure && isIP(hostname.replaceAll(/[[\]]/g, '')) === 0 ? { origin, host: hostname } : undefined
}

export const passkeysOf = (reader: Reader, user: string): Promise<PasskeyRow[]> =>
  reader.selectFrom('passkey').selectAll().where('userId', '=', user).orderBy('id').execute()

type Registering = { readonly place: Place; readonly user: string; readonly challenge: Uint8Array }

/** Says nothing of who someone is to whoever has the authenticator. */
const handleOf = (user: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    createHash('sha256')
      .update(JSON.stringify(['passkey', user]))
      .digest(),
  )

export async function registrationOptions(
  reader: Reader,
  { place, user, challenge }: Registering,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const known = await passkeysOf(reader, user)
  return generateRegistrationOptions({
    rpName: 'Tidegate',
    rpID: place.host,
    userName: user,
    userDisplayName: user,
    userID: handleOf(user),
    challenge: Uint8Array.from(challenge),
    timeout: factorLimits.challenge,
    attestationType: 'none',
    excludeCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
}

/** @param passkeys absent: whichever the person has, and whoever they are */
export const authenticationOptions = (
  place: Place,
  challenge: Uint8Array,
  passkeys: readonly PasskeyRow[] = [],
): Promise<PublicKeyCredentialRequestOptionsJSON> =>
  generateAuthenticationOptions({
    rpID: place.host,
    challenge: Uint8Array.from(challenge),
    timeout: factorLimits.challenge,
    userVerification: 'required',
    allowCredentials: passkeys.map(({ credentialId }) => ({ id: credentialId })),
  })

export type Answered = {
  readonly place: Place
  /** In base64url, as it was put to the authenticator. */
  readonly challenge: string
  /** As the browser sent it. */
  readonly answer: string
}

type NewPasskey = Answered & { readonly user: string; readonly name: string }

/** @returns its id; `undefined`: it is not what was asked for, or one that is known already */
export async function addPasskey(unit: Unit, { user, name, ...answered }: NewPasskey): Promise<string | undefined> {
  const { tx, now, runtime } = unit
  const info = await verifiedRegistration(answered)
  if (!info || (await passkeysOf(tx, user)).length >= factorLimits.passkeysOfOne) return undefined
  const { credential, credentialDeviceType } = info
  const added = await tx
    .insertInto('passkey')
    .values({
      id: newId(runtime, 'passkey'),
      userId: user,
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey),
      counter: credential.counter,
      transports: credential.transports ?? [],
      name: name.trim().slice(0, factorLimits.nameLength) || 'Passkey',
      synced: credentialDeviceType === 'multiDevice',
      createdAt: instantParam(now),
      lastUsedAt: null,
    })
    .onConflict((conflict) => conflict.column('credentialId').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!added) return undefined
  const fields = { kind: 'passkey', factor: added.id, principal: `user:${user}`, name: name.trim() }
  unit.record({ type: 'factor.added', at: now, fields })
  return added.id
}

async function verifiedRegistration({ place, challenge, answer }: Answered) {
  const response = parse(answer) as RegistrationResponseJSON | undefined
  if (!response) return undefined
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: place.origin,
      expectedRPID: place.host,
      requireUserVerification: true,
    })
    return verified ? registrationInfo : undefined
  } catch {
    return undefined
  }
}

export type Checked =
  | { readonly user: string; readonly passkey: string }
  /** `copied`: it counts signatures, and this count was behind: there are two of it. */
  | { readonly refused: 'wrong' | 'copied'; readonly user?: string }

/** @param user absent: whoever's it is */
export async function checkPasskey(
  unit: Unit,
  { user, ...answered }: Answered & { readonly user?: string },
): Promise<Checked> {
  const { tx, now } = unit
  const response = parse(answered.answer) as AuthenticationResponseJSON | undefined
  if (!response || typeof response.id !== 'string') return { refused: 'wrong' }
  const row = await tx
    .selectFrom('passkey')
    .selectAll()
    .where('credentialId', '=', response.id)
    .forUpdate()
    .executeTakeFirst()
  if (!row || (user !== undefined && row.userId !== user)) return { refused: 'wrong' }
  const counter = await verifiedCounter(row, response, answered)
  if (counter === undefined) return { refused: 'wrong', user: row.userId }
  // Zero, before and now: it does not count.
  if (counter <= row.counter && (counter > 0 || row.counter > 0)) return { refused: 'copied', user: row.userId }
  await tx
    .updateTable('passkey')
    .set({ counter, lastUsedAt: instantParam(now) })
    .where('id', '=', row.id)
    .execute()
  return { user: row.userId, passkey: row.id }
}

async function verifiedCounter(
  row: PasskeyRow,
  response: AuthenticationResponseJSON,
  { place, challenge }: Answered,
): Promise<number | undefined> {
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: place.origin,
      expectedRPID: place.host,
      // The count is compared by ourselves, so that a copy is told from a wrong signature.
      credential: { id: row.credentialId, publicKey: Uint8Array.from(row.publicKey), counter: 0 },
      requireUserVerification: true,
    })
    return verified ? authenticationInfo.newCounter : undefined
  } catch {
    return undefined
  }
}

/** Of which shape it is, the library checks. */
function parse(answer: string): object | undefined {
  if (answer.length > factorLimits.answer) return undefined
  try {
    const value: unknown = JSON.parse(answer)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
