/**
 * Gateways come and go: an administrator invites one, a process enrols with the token of the invitation, once, and an
 * administrator puts it out. Inviting the same name again puts out whoever had it.
 */

import { ApiError, gatewayLimits, gatewayShapes } from '@tidegate/api'
import type { ParsedInput } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { after, formatInstant, seconds } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { hashToken } from '../identity/tokens.ts'
import { entryLimits } from '../log/limits.ts'
import type { Unit } from '../store/change.ts'
import type { Tables, Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { loseSessions } from './lost-sessions.ts'
import { isSigned } from './signature.ts'

export type GatewayRow = Selectable<Tables['gateway']>

type Invitation = {
  readonly id: string
  readonly resources?: readonly string[] | undefined
  /** Absent: the process that runs the server, for itself. */
  readonly by?: string
}

export type Invited = { readonly row: GatewayRow; readonly enrolmentToken: string; readonly expiresAt: Instant }

export async function inviteGateway(unit: Unit, { id, resources, by }: Invitation): Promise<Invited> {
  const { tx, now, runtime } = unit
  const enrolmentToken = `tge_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const expiresAt = after(now, seconds(gatewayLimits.enrolmentSeconds))
  const invited = {
    ...nobody,
    resources: resources === undefined ? null : [...resources],
    invitedAt: instantParam(now),
    invitationHash: hashToken(enrolmentToken),
    invitationEndsAt: instantParam(expiresAt),
    removedAt: null,
  }
  const row = await tx
    .insertInto('gateway')
    .values({ id, ...invited })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(invited))
    .returningAll()
    .executeTakeFirstOrThrow()
  await putOut(unit, id)
  const shown = resources?.slice(0, entryLimits.resources)
  unit.record({
    type: 'gateway.invited',
    at: now,
    fields: { gateway: id, resources: shown, expiresAt: formatInstant(expiresAt), by },
  })
  return { row, enrolmentToken, expiresAt }
}

/** Of a gateway that is not enrolled. */
const nobody = {
  publicKey: null,
  address: null,
  enrolledAt: null,
  signedInAt: null,
  signedOffAt: null,
  lastSeenAt: null,
}

/** Whoever has signed in under this name is somebody else now, and nobody will say how its sessions end. */
async function putOut(unit: Unit, gateway: string): Promise<void> {
  unit.send(unit.tx.deleteFrom('gatewayToken').where('gateway', '=', gateway).execute())
  unit.hint({ to: 'gateways', about: gateway })
  await loseSessions(unit, { gateway })
}

/**
 * Once for each invitation. Again with the same key it is the same enrolment: whoever lost the answer asks again.
 * @throws {ApiError} `unauthenticated` for a token that is wrong, used or over, or a key that did not sign, without
 * saying which
 */
export async function enrolGateway(unit: Unit, input: ParsedInput<'enrolGateway'>): Promise<string> {
  const { tx, now } = unit
  const publicKey = Buffer.from(input.publicKey, 'base64')
  const signed = { text: gatewayShapes.enrolmentText(input), key: publicKey, signature: input.signature }
  if (!isSigned(signed)) throw notTaken()
  const invitationHash = hashToken(input.token)
  const row = await tx
    .updateTable('gateway')
    .set({ publicKey, address: JSON.stringify(input.address), enrolledAt: instantParam(now) })
    .where('invitationHash', '=', invitationHash)
    .where('invitationEndsAt', '>', boundInstant(now))
    .where('publicKey', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!row) return enrolledAlready(tx, { invitationHash, publicKey })
  const { host, port } = input.address
  unit.record({
    type: 'gateway.enrolled',
    at: now,
    fields: { gateway: row.id, publicKey: input.publicKey, host, port },
  })
  return row.id
}

async function enrolledAlready(
  tx: Tx,
  { invitationHash, publicKey }: { invitationHash: Buffer; publicKey: Buffer },
): Promise<string> {
  const row = await tx
    .selectFrom('gateway')
    .select('id')
    .where('invitationHash', '=', invitationHash)
    .where('publicKey', '=', publicKey)
    .executeTakeFirst()
  if (row) return row.id
  throw notTaken()
}

const notTaken = (): ApiError =>
  new ApiError('unauthenticated', { detail: 'No invitation takes this enrolment token with this key.' })

/** Twice is once. @throws {ApiError} `not-found` */
export async function removeGateway(unit: Unit, { id, by }: { id: string; by: string }): Promise<GatewayRow> {
  const present = await lockGateway(unit.tx, id)
  if (!present) throw new ApiError('not-found', { detail: `There is no gateway ${id}.` })
  if (present.removedAt !== null) return present
  const row = await unit.tx
    .updateTable('gateway')
    .set({ ...nobody, invitationHash: null, invitationEndsAt: null, removedAt: instantParam(unit.now) })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  await putOut(unit, id)
  unit.record({ type: 'gateway.removed', at: unit.now, fields: { gateway: id, by } })
  return row
}

const lockGateway = (tx: Tx, id: string): Promise<GatewayRow | undefined> =>
  tx.selectFrom('gateway').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
