/**
 * What the holder of a grant gets where gateways stand before the target: a password of the gateway's, never the
 * target's. The login on the target is sealed under the master key and kept with the grant until that is over.
 */

import { createHash } from 'node:crypto'
import type { Output } from '@tidegate/api'
import { ApiError, gatewayLimits } from '@tidegate/api'
import { makeScramPassword } from '@tidegate/connectors'
import type { Credential } from '@tidegate/connectors'
import type { Grant, GrantId, Instant } from '@tidegate/core'
import { instant, seconds } from '@tidegate/core'
import type { ResourceEntry } from '../configuration/snapshot.ts'
import type { Runtime } from '../runtime.ts'
import type { MasterKey } from '../secrets/envelope.ts'
import { open, seal } from '../secrets/envelope.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { GatewayLogin } from '../store/grants.ts'
import type { Gateways } from './gateways.ts'

export type Address = NonNullable<Output<'removeGateway'>['address']>
export type TargetLogin = Pick<Output<'releaseLogin'>, 'host' | 'port' | 'user' | 'secret' | 'tls' | 'ca'>

/** The gateway to lead the holder to, and what seals the target's login meanwhile. */
export type WayIn = { readonly key: MasterKey; readonly address: Address }

type Opening = { readonly grant: Grant & { readonly byGateway?: boolean }; readonly entry: ResourceEntry }

/**
 * `undefined`: the holder goes to the target itself. What was opened through gateways stays so until it is over.
 * @throws {ApiError} `no-gateway`, before anything is opened
 */
export async function wayIn(
  gateways: Gateways | undefined,
  { tx, now }: Unit,
  { grant, entry }: Opening,
): Promise<WayIn | undefined> {
  if (entry.resource.gateway === 'none' && grant.byGateway !== true) return undefined
  const address = gateways && (await connectedGateway(tx, now, grant))
  if (address) return { key: gateways.key, address }
  const resource = entry.resource.id
  throw new ApiError('no-gateway', { detail: `Access to ${resource} leads through a gateway, and none is connected.` })
}

/** Heard of later than this, it is connected at `now`. */
const connectedSince = (now: Instant): Instant => instant(now - seconds(gatewayLimits.goneAfterSeconds))

type Sight = {
  readonly enrolledAt: Instant | null
  readonly signedOffAt: Instant | null
  readonly lastSeenAt: Instant | null
}

export const isConnected = ({ enrolledAt, signedOffAt, lastSeenAt }: Sight, now: Instant): boolean =>
  enrolledAt !== null && signedOffAt === null && lastSeenAt !== null && lastSeenAt > connectedSince(now)

/** The same one for a grant as long as the same are connected, and grants spread over them. */
async function connectedGateway(
  reader: Reader,
  now: Instant,
  { id, resource }: Pick<Grant, 'id' | 'resource'>,
): Promise<Address | undefined> {
  const rows = await reader
    .selectFrom('gateway')
    .select(['id', 'address'])
    .where('enrolledAt', 'is not', null)
    .where('signedOffAt', 'is', null)
    .where('lastSeenAt', '>', boundInstant(connectedSince(now)))
    .where((eb) => eb.or([eb('resources', 'is', null), eb(eb.val(resource), '=', eb.fn.any('resources'))]))
    .execute()
  const rank = (gateway: string): string => createHash('sha256').update(`${id}\n${gateway}`).digest('hex')
  const [first] = rows.toSorted((a, b) => (rank(a.id) < rank(b.id) ? -1 : 1))
  return first?.address as Address | undefined
}

export type Password = { readonly secret: string; readonly verifier: string }

/**
 * The salt of the one before stays, if there is one: a gateway that has told a client the salt, and hears of the new
 * password only then, can still check it.
 */
export async function makePassword(random: Runtime['random'], before?: string): Promise<Password> {
  const salt = /^SCRAM-SHA-256\$\d+:([^$]+)\$/.exec(before ?? '')?.[1]
  const { password: secret, verifier } = await makeScramPassword(
    random,
    salt === undefined ? undefined : Buffer.from(salt, 'base64'),
  )
  return { secret, verifier }
}

type Leading = { readonly target: Credential; readonly way: WayIn; readonly password: Password }

/** What is kept of the target's credential, and what its holder gets instead. */
export function leadThrough(
  grant: GrantId,
  { target, way, password }: Leading,
  random: Runtime['random'],
): { readonly kept: GatewayLogin; readonly credential: Credential } {
  const { host, port, user, secret, tls, ca } = target
  const login: TargetLogin = { host, port, user, secret, tls, ...(ca !== undefined && { ca }) }
  const sealed = seal(Buffer.from(JSON.stringify(login)), { key: way.key, purpose: loginPurpose(grant), random })
  return {
    kept: { sealed, verifier: password.verifier, databases: target.databases },
    credential: {
      kind: target.kind,
      host: way.address.host,
      port: way.address.port,
      tls: way.address.tls,
      ...(way.address.ca !== undefined && { ca: way.address.ca }),
      databases: target.databases,
      user: grant,
      secret: password.secret,
      expiresAt: target.expiresAt,
    },
  }
}

export const unseal = (key: MasterKey, { grant, sealed }: { grant: string; sealed: Buffer }): TargetLogin =>
  JSON.parse(open(sealed, { key, purpose: loginPurpose(grant) }).toString('utf8')) as TargetLogin

/** One grant's login put in another's place does not open. */
export const loginPurpose = (grant: string): string => `target-login:${grant}`
