/** Which source is calling, and of whom it may speak. */

import { timingSafeEqual } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import { domainOf } from '../../configuration/identity-rules.ts'
import type { DeclaredProvider, DeclaredScim, DeclaredUser } from '../../configuration/schema.ts'
import type { Snapshot } from '../../configuration/snapshot.ts'
import { hashToken } from '../tokens.ts'
import type { Document } from './document.ts'
import { elementsAt, textAt } from './document.ts'
import { refusal } from './errors.ts'

export type Source = {
  readonly id: string
  readonly provider: DeclaredProvider
  readonly snapshot: Snapshot
}

/** `undefined` for what is missing, unknown or expired, without saying which. */
export function sourceOf(
  snapshot: Snapshot,
  { authorization = '', now }: { readonly authorization?: string | undefined; readonly now: Instant },
): Source | undefined {
  const [, token] = /^Bearer (\S{1,200})$/i.exec(authorization) ?? []
  if (token === undefined) return undefined
  const { providers, scim } = snapshot.declared.identity
  const presented = hashToken(token)
  const found = scim.find(({ tokens }) => tokens.some((one) => now < one.expires && isHash(one.hash, presented)))
  const provider = providers.find(({ id }) => id === found?.provider)
  return found && provider && { id: found.id, provider, snapshot }
}

const isHash = (declared: DeclaredScim['tokens'][number]['hash'], presented: Buffer): boolean =>
  timingSafeEqual(Buffer.from(declared.slice('sha256:'.length), 'hex'), presented)

/** In lower case, the ones that may say who someone is first. */
const addressesOf = (document: Document): string[] => {
  const emails = elementsAt(document, 'emails')
  const sorted = [...emails.filter(({ primary }) => primary === true), ...emails]
  return [textAt(document, 'userName'), ...sorted.map(({ value }) => value)].flatMap((address) =>
    typeof address === 'string' ? [address.toLowerCase()] : [],
  )
}

/** The address that says who the person is: the first of the provider's domains. */
export const findAddress = ({ provider }: Source, document: Document): string | undefined =>
  addressesOf(document).find((one) => provider.domains.includes(domainOf(one) ?? ''))

/** @throws {ScimError} where there is none */
export function addressOf(source: Source, document: Document): string {
  const address = findAddress(source, document)
  if (address !== undefined) return address
  const words = source.provider.domains.join(', ')
  throw refusal('invalidValue', `Neither userName nor emails has an address of ${words}. People are known by one here.`)
}

export type Named = { readonly user: DeclaredUser; readonly by: 'subject' | 'address' }

/**
 * The declared person whom this is about. Nobody signs in as them by it: it can take them out, and put them into groups of
 * the source. Where configuration names whose sign-in counts, an address is not enough, as at a sign-in.
 *
 * @throws {ScimError} for an address that configuration gives to somebody else
 */
export function declaredFor({ provider, snapshot }: Source, document: Document, address: string): Named | undefined {
  const { users } = snapshot.declared
  const externalId = textAt(document, 'externalId')
  const signInAt = ({ signIns }: DeclaredUser) => signIns.filter((one) => one.provider === provider.id)
  const named = users.find((user) => signInAt(user).some(({ subject }) => subject === externalId))
  if (named) return { user: named, by: 'subject' }
  const user = users.find(({ id, email }) => id.toLowerCase() === address || email?.toLowerCase() === address)
  if (!user) return undefined
  if (signInAt(user).length === 0 && user.email?.toLowerCase() === address) return { user, by: 'address' }
  throw refusal(
    'uniqueness',
    `${address} is of a person whom configuration declares otherwise. Give ${user.id} the signIns or the email of this one there.`,
  )
}
