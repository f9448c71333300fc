/**
 * RFC 8628: a command line on a machine without a browser asks, shows a short code, and a person types it where they are
 * signed in. What they see there is who asks and from where, for whoever sends someone a code is not who they say.
 */

import type { LoginId } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { Runtime } from '../../runtime.ts'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import type { Client } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import { checkCommandLine } from './clients.ts'
import type { Demand } from './demand.ts'
import { readDemand } from './demand.ts'
import { OAuthError } from './errors.ts'
import type { OAuthDeps, TokenRequest } from './grant-type.ts'
import { readThumbprint } from './thumbprint.ts'

export const devicePath = '/oauth/device_authorization'

export type DeviceRow = Selectable<Tables['deviceAuthorization']>

/** Section 3.2. Without `verification_uri_complete`: nobody is to be let in by a link that was sent to someone. */
export type DeviceAnswer = {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly expires_in: number
  readonly interval: number
}

/** @throws {OAuthError} */
export async function askByDevice(deps: OAuthDeps, asked: TokenRequest): Promise<DeviceAnswer> {
  checkCommandLine(asked)
  const keyThumbprint = readThumbprint(asked.form)
  const demand = readDemand(asked.form)
  const code = await change(deps, (unit) => keep(unit, { client: asked.client, keyThumbprint, demand }))
  if (!code) throw new OAuthError('slow_down', 'Too many wait to be let in. Ask again in a minute.')
  return {
    device_code: code.device,
    user_code: `${code.user.slice(0, 4)}-${code.user.slice(4)}`,
    verification_uri: `${deps.publicUrl()}/device`,
    expires_in: identityLimits.deviceAuthorization / 1_000,
    interval: identityLimits.devicePolls / 1_000,
  }
}

type Asking = {
  readonly client: Client
  readonly keyThumbprint: string | undefined
  readonly demand: Demand | undefined
}

async function keep(
  { tx, now, runtime }: Unit,
  { client, keyThumbprint, demand }: Asking,
): Promise<{ readonly device: string; readonly user: string } | undefined> {
  await tx.deleteFrom('deviceAuthorization').where('endsAt', '<=', boundInstant(now)).execute()
  const { count } = await tx
    .selectFrom('deviceAuthorization')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  if (count >= identityLimits.devicesWaiting) return undefined
  const device = `tdd_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const user = makeUserCode(runtime.random)
  await tx
    .insertInto('deviceAuthorization')
    .values({
      hash: hashToken(device),
      userCode: user,
      keyThumbprint: keyThumbprint ?? null,
      demand: demand ? JSON.stringify(demand) : null,
      clientAddress: client.address,
      clientAgent: client.agent?.slice(0, 300) ?? null,
      askedAt: instantParam(now),
      endsAt: instantParam(after(now, identityLimits.deviceAuthorization)),
      intervalSeconds: identityLimits.devicePolls / 1_000,
      polledAt: null,
      status: 'pending',
      allowedBy: null,
      login: null,
    })
    .execute()
  return { device, user }
}

/** No vowels, so that it spells nothing, and nothing that looks like something else (section 6.1): 34 bits. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'

function makeUserCode(random: Runtime['random']): string {
  let code = ''
  // What does not divide evenly is thrown away: every letter is as likely as any other.
  while (code.length < 8) for (const byte of random(8)) if (byte < 240 && code.length < 8) code += letters[byte % 20]
  return code
}

/** As people type it. `undefined`: it cannot be one. */
export function readUserCode(text: string | undefined): string | undefined {
  const code = (text ?? '').toUpperCase().replaceAll(/[\s-]/g, '')
  return code.length === 8 && [...code].every((letter) => letters.includes(letter)) ? code : undefined
}

/** One that waits for an answer. All others are the same: there is none. */
export async function findWaiting(
  reader: Reader,
  { userCode, now }: { readonly userCode: string; readonly now: Unit['now'] },
): Promise<DeviceRow | undefined> {
  return reader
    .selectFrom('deviceAuthorization')
    .selectAll()
    .where('userCode', '=', userCode)
    .where('status', '=', 'pending')
    .where('endsAt', '>', boundInstant(now))
    .executeTakeFirst()
}

type Answer = { readonly userCode: string; readonly login: LoginId; readonly user: string; readonly allow: boolean }

/** @returns whether it still waited */
export async function answerDevice(unit: Unit, { userCode, login, user, allow }: Answer): Promise<boolean> {
  const { tx, now } = unit
  const row = await tx
    .updateTable('deviceAuthorization')
    .set(allow ? { status: 'allowed', allowedBy: login } : { status: 'refused' })
    .where('userCode', '=', userCode)
    .where('status', '=', 'pending')
    .where('endsAt', '>', boundInstant(now))
    .returning(['clientAddress', 'clientAgent'])
    .executeTakeFirst()
  if (!row) return false
  if (!allow) {
    const asker = { address: row.clientAddress, ...(row.clientAgent !== null && { agent: row.clientAgent }) }
    recordRefusal(unit, { user, asker, by: 'device' })
  }
  return true
}

type Refusal = { readonly user: string; readonly asker: Client; readonly by: 'browser' | 'device' }

/** Someone wanted to act as them and they said no: perhaps someone else has asked. */
export const recordRefusal = ({ record, now }: Unit, { user, asker, by }: Refusal): void =>
  record({
    type: 'login.declined',
    at: now,
    fields: { by, principal: `user:${user}`, address: asker.address, agent: asker.agent },
  })
