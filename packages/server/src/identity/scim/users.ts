/** People, as a source pushes them: created, changed, taken out. What follows for access is in the same transaction. */

import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import type { DirectoryUser } from '../directory/write.ts'
import { putUser, removeUser } from '../directory/write.ts'
import { endAccess } from '../directory/end-access.ts'
import type { Document } from './document.ts'
import { checked, elementAt, readDocument, textAt } from './document.ts'
import { notFound, refusal } from './errors.ts'
import { applySteps, readPatch } from './patch.ts'
import type { Row } from './row.ts'
import { checkVersion, newResourceId } from './row.ts'
import { userType } from './schema.ts'
import type { Source } from './source.ts'
import { addressOf, declaredFor, findAddress } from './source.ts'

export type UserRow = Row & { readonly userId: string; readonly document: Document }

/** What a write did: the row as it is now, and whose access is to be looked at again. */
export type Written<R> = { readonly row: R; readonly concerned: readonly string[] }

export async function createUser(unit: Unit, source: Source, body: unknown): Promise<Written<UserRow>> {
  const said = readDocument(userType, body)
  const document: Document = { ...said, active: said['active'] ?? true }
  await checkFree(unit, source, { document })
  const id = newResourceId(unit.runtime)
  const userId = await claimId(unit, source, document)
  await follow(unit, source, { id, userId, document })
  const row = await unit.tx
    .insertInto('scimUser')
    .values({ id, source: source.id, userId, ...columns(document), ...times(unit) })
    .returningAll()
    .executeTakeFirstOrThrow()
  return { row: row as UserRow, concerned: goneFrom({ userId, document }) }
}

const times = ({ now }: Unit) => ({ createdAt: instantParam(now), changedAt: instantParam(now) })

const columns = (document: Document) => ({
  userName: textAt(document, 'userName') ?? '',
  externalId: textAt(document, 'externalId') ?? null,
  document: JSON.stringify(document),
})

type Changing = { readonly id: string; readonly ifMatch?: string | undefined; readonly body: unknown }

export const replaceUser = (unit: Unit, source: Source, { body, ...which }: Changing): Promise<Written<UserRow>> =>
  changeUser(unit, source, {
    ...which,
    // Whoever is not said to be active again stays as they are.
    change: ({ active = true }) => ({ active, ...readDocument(userType, body) }),
  })

export function patchUser(unit: Unit, source: Source, { body, ...which }: Changing): Promise<Written<UserRow>> {
  const steps = readPatch(userType, body)
  return changeUser(unit, source, { ...which, change: (before) => applySteps(before, steps) })
}

type Change = Omit<Changing, 'body'> & { readonly change: (before: Document) => Document }

async function changeUser(unit: Unit, source: Source, { id, ifMatch, change }: Change): Promise<Written<UserRow>> {
  const before = await lockUser(unit, source, id)
  checkVersion(before, ifMatch)
  const after = checked(userType, change(before.document))
  const document: Document = { ...after, active: after['active'] ?? false }
  const { userId } = before
  if (same(document, before.document)) {
    // What was said before may have been said while nobody heard all of it.
    await follow(unit, source, { id, userId, document })
    return { row: before, concerned: goneFrom({ userId, document }) }
  }
  await checkFree(unit, source, { document, id })
  // Whoever is taken out is, whatever else has come to be wrong with them.
  if (document['active'] === true) checkStillTheirs(source, { userId, document })
  await follow(unit, source, { id, userId, document })
  const row = await unit.tx
    .updateTable('scimUser')
    .set((eb) => ({ ...columns(document), version: eb('version', '+', 1), changedAt: instantParam(unit.now) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { row: row as UserRow, concerned: goneFrom({ userId, document }) }
}

/** Whatever order they were said in, and the store has its own. */
const same = (one: Document, other: Document): boolean => canonical(one) === canonical(other)

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

/** Locked until the transaction ends. */
async function lockUser({ tx }: Unit, source: Source, id: string): Promise<UserRow> {
  const row = await tx
    .selectFrom('scimUser')
    .selectAll()
    .where('id', '=', id)
    .where('source', '=', source.id)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw notFound()
  return row as UserRow
}

/**
 * Gone from the source. Whom configuration declares stays taken out, because configuration alone would let them in; of
 * anyone else nothing is left, and their id is free.
 */
export async function deleteUser(unit: Unit, source: Source, which: Omit<Changing, 'body'>): Promise<Written<UserRow>> {
  const row = await lockUser(unit, source, which.id)
  checkVersion(row, which.ifMatch)
  const { userId, document } = row
  await unit.tx.deleteFrom('scimUser').where('id', '=', row.id).execute()
  if (isDeclared(source, userId)) {
    await unit.tx
      .deleteFrom('directoryMembership')
      .where('member', '=', `user:${userId}`)
      .where('groupId', 'in', (eb) => eb.selectFrom('directoryGroup').select('id').where('source', '=', source.id))
      .execute()
    await putUser(unit, { ...(await personOf(unit, source, row)), active: false })
  } else await removeUser(unit, { id: userId, source: source.id })
  await endAccess(unit, source.snapshot, { user: userId, note: `${source.id} removed its holder.` })
  return { row: { ...row, document: { ...document, active: false } }, concerned: [userId] }
}

const isDeclared = ({ snapshot }: Source, userId: string): boolean =>
  snapshot.declared.users.some(({ id }) => id === userId)

type Checking = { readonly document: Document; readonly id?: string }

/** Two at once: the second is told by the store's unique indexes. */
async function checkFree({ tx }: Unit, source: Source, { document, id = '' }: Checking): Promise<void> {
  const { userName, externalId } = columns(document)
  const taken = await tx
    .selectFrom('scimUser')
    .select(['id', 'externalId'])
    .where('source', '=', source.id)
    .where('id', '<>', id)
    .where((eb) =>
      eb.or([
        eb(eb.fn('lower', ['userName']), '=', eb.fn('lower', [eb.val(userName)])),
        ...(externalId === null ? [] : [eb('externalId', '=', externalId)]),
      ]),
    )
    .executeTakeFirst()
  if (!taken) return
  const what = externalId !== null && taken.externalId === externalId ? 'externalId' : 'userName'
  throw refusal('uniqueness', `The ${what} is that of ${taken.id}.`)
}

/** Who this is, from here on. */
async function claimId(unit: Unit, source: Source, document: Document): Promise<string> {
  const address = addressOf(source, document)
  const declared = declaredFor(source, document, address)
  const id = declared?.user.id ?? address
  if (!/^[a-z0-9][a-z0-9._@+-]{0,127}$/.test(id))
    throw refusal('invalidValue', `${id} cannot be the id of a person: lower-case letters, digits and . _ @ + - can.`)
  const known = await unit.tx
    .selectFrom('directoryUser')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!known) return id
  const another = () =>
    refusal(
      'uniqueness',
      `${id} is another person. Delete that one at the source, or name in configuration whose sign-in is theirs.`,
    )
  if (known.source === source.id) {
    // Left behind by one who was removed: the address is not enough to be that person again.
    const isThem = declared?.by === 'subject' || known.externalId === textAt(document, 'externalId')
    if (declared && !isThem) throw another()
    return id
  }
  // They signed in before they were pushed: the same authority says who they are.
  if (known.source !== source.provider.id || declared) throw another()
  await unit.tx.updateTable('directoryUser').set({ source: source.id }).where('id', '=', id).execute()
  return id
}

/** Whose it is never changes. What would make it someone else's is refused. */
function checkStillTheirs(source: Source, { userId, document }: Pick<Following, 'userId' | 'document'>): void {
  const declared = declaredFor(source, document, addressOf(source, document))
  if (!declared || declared.user.id === userId) return
  throw refusal('uniqueness', `This is ${userId}, and would become ${declared.user.id}. Create that person anew.`)
}

/** What was being opened while they were taken out. Whoever is still there has lost nothing by this. */
const goneFrom = ({ userId, document }: Pick<Following, 'userId' | 'document'>): string[] =>
  document['active'] === true ? [] : [userId]

type Following = { readonly id: string; readonly userId: string; readonly document: Document }

/** The person in the directory, and the end of everything where they are not active. */
async function follow(unit: Unit, source: Source, following: Following): Promise<void> {
  const person = await personOf(unit, source, following)
  await putUser(unit, person)
  const note = `${source.id} said that its holder is not active.`
  if (!person.active) await endAccess(unit, source.snapshot, { user: person.id, note })
}

async function personOf(unit: Unit, source: Source, { id, userId, document }: Following): Promise<DirectoryUser> {
  const name = nameOf(document)
  const manager = await managerOf(unit, source, document)
  const email = findAddress(source, document)
  const about = {
    ...(email !== undefined && { email }),
    ...(name !== undefined && { name }),
    ...(manager !== undefined && { manager }),
  }
  const externalId = textAt(document, 'externalId') ?? id
  return { id: userId, source: source.id, externalId, active: document['active'] === true, about }
}

function nameOf(document: Document): string | undefined {
  const { formatted, givenName, familyName } = elementAt(document, 'name') ?? {}
  const parts = [givenName, familyName].filter((part) => typeof part === 'string')
  const name = textAt(document, 'displayName') ?? formatted ?? (parts.length > 0 ? parts.join(' ') : undefined)
  return typeof name === 'string' ? name.slice(0, 200) : undefined
}

/** Only one of its own people. Who is pushed later is their manager once this is said again. */
async function managerOf({ tx }: Unit, source: Source, document: Document): Promise<string | undefined> {
  const value = elementAt(document, 'manager')?.['value']
  if (typeof value !== 'string') return undefined
  const row = await tx
    .selectFrom('scimUser')
    .select('userId')
    .where('source', '=', source.id)
    .where((eb) =>
      eb.or([
        eb('id', '=', value),
        eb('externalId', '=', value),
        eb(eb.fn('lower', ['userName']), '=', eb.fn('lower', [eb.val(value)])),
      ]),
    )
    .executeTakeFirst()
  return row?.userId
}
