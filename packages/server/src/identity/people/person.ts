/**
 * Whose sign-in it is. Configuration declares who its people are, so nobody becomes one of them by what they call
 * themselves: it takes a sign-in that configuration names, or a verified mail address of a domain that the provider is
 * believed about.
 */

import type { DeclaredProvider, DeclaredUser } from '../../configuration/schema.ts'
import type { Snapshot } from '../../configuration/snapshot.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { idNeverGiven } from '../directory/former.ts'
import { putUser } from '../directory/write.ts'
import { firstAdministrator } from '../principals.ts'
import type { SignedIn } from './claims.ts'
import { unlink } from './unlink.ts'

export const refusalCauses = {
  unknown: 'neither configuration nor a source knows this person, and newcomers are refused',
  'no-address': 'the provider gave no verified mail address of its domains',
  'linked-to-another': 'another person of the same provider signs in as this one',
  taken: 'the id that this person would have is another’s',
  suspended: 'the person is not active',
} as const

export type RefusalCause = keyof typeof refusalCauses

export type Identified = { readonly user: string } | { readonly refused: RefusalCause }

type Link = { readonly user: string; readonly by: 'configuration' | 'email' | 'directory' | 'newcomer' }

type Sign = { readonly snapshot: Snapshot; readonly provider: DeclaredProvider; readonly signedIn: SignedIn }

export async function identify(unit: Unit, sign: Sign): Promise<Identified> {
  const declared = declaredFor(sign)
  const linked = await linkOf(unit, sign)
  // What configuration names goes before what was linked when it said otherwise.
  if (linked !== undefined && (declared?.by !== 'configuration' || declared.user === linked)) return { user: linked }
  if (declared?.by === 'configuration') return linkTo(unit, sign, declared)
  const found = declared ?? (await knownInDirectory(unit, sign)) ?? (await newcomer(unit, sign))
  return 'refused' in found ? found : linkTo(unit, sign, found)
}

function declaredFor({ snapshot, provider, signedIn }: Sign): Link | undefined {
  const { users } = snapshot.declared
  const named = users.find(({ signIns }) =>
    signIns.some((one) => one.provider === provider.id && one.subject === signedIn.subject),
  )
  if (named) return { user: named.id, by: 'configuration' }
  const addressed = signedIn.email === undefined ? undefined : users.find((user) => isAt(user, signedIn.email))
  // Where configuration names whose sign-in counts, an address is not enough.
  const bound = addressed?.signIns.some((one) => one.provider === provider.id)
  return addressed && !bound ? { user: addressed.id, by: 'email' } : undefined
}

const isAt = ({ email }: DeclaredUser, address: string | undefined): boolean =>
  address !== undefined && email?.toLowerCase() === address

async function linkOf(unit: Unit, { snapshot, provider, signedIn }: Sign): Promise<string | undefined> {
  const row = await unit.tx
    .selectFrom('loginLink')
    .selectAll()
    .where('provider', '=', provider.id)
    .where('subject', '=', signedIn.subject)
    .executeTakeFirst()
  if (!row) return undefined
  const user = snapshot.declared.users.find(({ id }) => id === row.userId)
  // A user that configuration came to declare later is someone else, until it says that this sign-in is theirs.
  const stillTheirs =
    !user || row.linkedBy === 'configuration' || (row.linkedBy === 'email' && isAt(user, signedIn.email))
  const renamed = user?.signIns.some((one) => one.provider === provider.id)
  return stillTheirs && !renamed ? row.userId : undefined
}

async function knownInDirectory(unit: Unit, { snapshot, provider, signedIn }: Sign): Promise<Link | undefined> {
  const { email, subject } = signedIn
  const { scim } = snapshot.declared.identity
  const sources = [provider.id, ...scim.filter((one) => one.provider === provider.id).map(({ id }) => id)]
  const rows = await unit.tx
    .selectFrom('directoryUser')
    .select(['id', 'source', 'externalId', 'email'])
    .where('source', 'in', sources)
    .where((eb) => eb.or([eb('externalId', '=', subject), ...(email === undefined ? [] : [eb('email', '=', email)])]))
    .execute()
  const exact = rows.filter(({ externalId }) => externalId === subject)
  // Two that fit as well are nobody.
  const fitting = exact.length > 0 ? exact : rows
  const [found] = fitting.length === 1 ? fitting : []
  if (!found || snapshot.declared.users.some(({ id }) => id === found.id)) return undefined
  return { user: found.id, by: 'directory' }
}

/** Their address is their id, unless another had it: no two providers are believed about the same domain. */
async function newcomer(
  unit: Unit,
  { snapshot, provider, signedIn }: Sign,
): Promise<Link | { readonly refused: RefusalCause }> {
  if (provider.newcomers === 'refuse') return { refused: 'unknown' }
  const { email, subject, name } = signedIn
  if (email === undefined || !/^[a-z0-9][a-z0-9._@+-]{0,127}$/.test(email)) return { refused: 'no-address' }
  // An address that configuration gives to one of its people is theirs, even where it lets nobody in.
  const taken =
    email === firstAdministrator.id ||
    snapshot.declared.users.some((user) => user.id.toLowerCase() === email || isAt(user, email))
  if (taken) return { refused: 'taken' }
  const person = { source: provider.id, externalId: subject }
  const id = await idNeverGiven(unit.tx, { ...person, id: email })
  const isOurs = snapshot.declared.users.some((user) => user.id.toLowerCase() === id)
  const known = await unit.tx.selectFrom('directoryUser').select('id').where('id', '=', id).executeTakeFirst()
  if (known || isOurs) return { refused: 'taken' }
  const about = { email, ...(name !== undefined && { name }) }
  await putUser(unit, { id, ...person, active: true, about })
  return { user: id, by: 'newcomer' }
}

/** One person of a provider for one of ours. Configuration may give what it names to another; an address does not. */
async function linkTo(unit: Unit, { provider, signedIn }: Sign, { user, by }: Link): Promise<Identified> {
  const { tx, now } = unit
  const key = { provider: provider.id, subject: signedIn.subject }
  const others = await tx
    .selectFrom('loginLink')
    .select('subject')
    .where('provider', '=', key.provider)
    .where('userId', '=', user)
    .where('subject', '<>', key.subject)
    .execute()
  if (others.length > 0 && by !== 'configuration') return { refused: 'linked-to-another' }
  for (const { subject } of others) await unlink(unit, { provider: key.provider, subject })
  await tx
    .insertInto('loginLink')
    .values({ ...key, userId: user, linkedBy: by, linkedAt: instantParam(now) })
    .onConflict((conflict) => conflict.columns(['provider', 'subject']).doUpdateSet({ userId: user, linkedBy: by }))
    .execute()
  const fields = { provider: key.provider, by, principal: `user:${user}`, subject: key.subject }
  unit.record({ type: 'login.linked', at: now, fields })
  return { user }
}
