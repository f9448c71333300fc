/** What the login of a service or an agent rests on. Once that does not hold any more, nor does the login. */

import { createHash } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import type { DeclaredService, DeclaredTrust } from '../../configuration/schema.ts'
import type { Snapshot } from '../../configuration/snapshot.ts'
import type { Reader } from '../../store/database.ts'
import { isBelieved } from '../logins/logins.ts'

export type Proof =
  /** A token of the service's platform, by a rule that configuration has. */
  | { readonly by: 'federation'; readonly rule: string; readonly subject: string }
  | { readonly by: 'secret'; readonly secret: string }
  /** A signature with a key that configuration has. */
  | { readonly by: 'key'; readonly key: string }
  /** Whom the agent acts for had it made, through this login. Absent: by a token that configuration declares. */
  | { readonly by: 'delegation'; readonly login?: string }

/** The same only for two that are the same in everything. */
export const fingerprint = (value: object): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url')

/** A rule names its issuer; one that means another from now on is another rule. */
export const ruleFingerprint = ({ declared }: Snapshot, rule: DeclaredTrust): string =>
  fingerprint([rule, declared.identity.issuers.find(({ id }) => id === rule.issuer)])

export const serviceOf = ({ declared }: Snapshot, principal: string): DeclaredService | undefined =>
  declared.services.find(({ id }) => principal === `service:${id}`)

type Resting = { readonly snapshot: Snapshot; readonly now: Instant; readonly principal: string; readonly proof: Proof }

export async function stillHolds(reader: Reader, { snapshot, now, principal, proof }: Resting): Promise<boolean> {
  const service = serviceOf(snapshot, principal)
  switch (proof.by) {
    case 'federation':
      return service?.trust.some((rule) => ruleFingerprint(snapshot, rule) === proof.rule) ?? false
    case 'key':
      return service?.keys.some(({ jwk, expires }) => fingerprint(jwk) === proof.key && now < expires) ?? false
    case 'secret':
      return service?.secrets !== undefined && isSecretGood(reader, proof.secret, now)
    case 'delegation':
      return proof.login === undefined || isLoginAlive(reader, proof.login, { snapshot, now })
  }
}

async function isSecretGood(reader: Reader, id: string, now: Instant): Promise<boolean> {
  const row = await reader
    .selectFrom('serviceSecret')
    .select(['expiresAt', 'revokedAt'])
    .where('id', '=', id)
    .executeTakeFirst()
  return row !== undefined && row.revokedAt === null && now < row.expiresAt
}

type Today = { readonly snapshot: Snapshot; readonly now: Instant }

/** A person's, or another machine's, which rests on something itself. Chains of agents are short. */
async function isLoginAlive(reader: Reader, id: string, { snapshot, now }: Today): Promise<boolean> {
  const person = await reader.selectFrom('login').selectAll().where('id', '=', id).executeTakeFirst()
  if (person) return isBelieved(person, { identity: snapshot.declared.identity, now })
  const machine = await reader.selectFrom('machineLogin').selectAll().where('id', '=', id).executeTakeFirst()
  if (!machine || machine.endedAt !== null || now >= instant(machine.endsAt)) return false
  return stillHolds(reader, { snapshot, now, ...machine })
}
