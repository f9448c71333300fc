/** People, as a source pushes them: created, changed, taken out. What follows for access is in the same transaction. */

import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { endAccess } from '../directory/end-access.ts'
import type { Before } from '../directory/write.ts'
import { idNeverGiven } from '../directory/former.ts'
import { isKnown, lockPerson, putOver, removeUser } from '../directory/write.ts'
import { checkStillTheirs, claim, idOf } from './claim.ts'
import type { Document } from './document.ts'
import { checked, readDocument, textAt } from './document.ts'
import { notFound, refusal } from './errors.ts'
import type { Described } from './follow.ts'
import { externalIdOf, follow, personOf } from './follow.ts'
import { applySteps, readPatch } from './patch.ts'
import type { Row, Which } from './row.ts'
import { checkVersion, newResourceId } from './row.ts'
import { userType } from './schema.ts'
import type { Source } from './source.ts'

export type UserRow = Row & { readonly userId: string; readonly userName: string; readonly document: Document }

/** What a write did: the row as it is now, and whose access is to be looked at again. */
export type Written<R> = { readonly row: R; readonly concerned: readonly string[] }

export async function createUser(unit: Unit, source: Source, body: unknown): Promise<Written<UserRow>> {
  const said = readDocument(userType, body)
  const document: Document = { ...said, active: said['active'] ?? true }
  const id = newResourceId(unit.runtime)
  const named = await newIdOf(unit, source, { id, document })
  const { userId } = named
  const [known] = await Promise.all([lockPerson(unit, userId), checkFree(unit, source, { document })])
  const before = known && (await claim(unit, source, { document, known, ...named }))
  await follow(unit, source, { id, userId, document, before })
  const { now } = unit
  const row = { id, source: source.id, userId, ...namesIn(document), document }
  const at = instantParam(now)
  const values = { ...row, document: JSON.stringify(document), createdAt: at, changedAt: at }
  unit.send(unit.tx.insertInto('scimUser').values(values).execute())
  return { row: { ...row, version: 1, createdAt: now, changedAt: now }, concerned: goneFrom({ userId, document }) }
}

/** Whom configuration declares is who it says. Anyone else has an id that was nobody else's before. */
async function newIdOf({ tx }: Unit, source: Source, { id, document }: Omit<Described, 'userId'>) {
  const named = idOf(source, document)
  if (named.declared) return named
  const person = { source: source.id, externalId: externalIdOf({ id, document }) }
  return { userId: await idNeverGiven(tx, { ...person, id: named.userId }) }
}

const namesIn = (document: Document) => ({
  userName: textAt(document, 'userName') ?? '',
  externalId: textAt(document, 'externalId') ?? null,
})

/** What a body makes of what is known of someone. */
export type UserChange = (before: Document) => Document

export function replacingUser(body: unknown): UserChange {
  const said = readDocument(userType, body)
  // Whoever is not said to be active again stays as they are.
  return ({ active = true }) => ({ active, ...said })
}

export function patchingUser(body: unknown): UserChange {
  const steps = readPatch(userType, body)
  return (before) => checked(userType, applySteps(before, steps))
}

function documentAfter({ document: before }: UserRow, change: UserChange): Document {
  const after = change(before)
  return { ...after, active: after['active'] ?? false }
}

type Change = Which & { readonly wanted: UserChange }

/**
 * Most of what a source sends at its next full sync is known already, and is not worth a lock. What was said before may
 * have been said while nobody heard all of it, so the directory is looked at, too; and whoever is not active is taken out
 * each time it is said.
 *
 * @returns the row, where nothing is to be done. `undefined`: something is, under a lock
 */
export async function userAsItIs(
  reader: Reader,
  source: Source,
  { id, ifMatch, wanted }: Change,
): Promise<UserRow | undefined> {
  const { row, before } = partsOf(await both(reader, source, id).executeTakeFirst())
  checkVersion(row, ifMatch)
  const document = documentAfter(row, wanted)
  if (document['active'] !== true || !same(document, row.document)) return undefined
  return isKnown(before, await personOf(reader, source, { ...row, document })) ? row : undefined
}

export async function changeUser(
  unit: Unit,
  source: Source,
  { id, ifMatch, wanted }: Change,
): Promise<Written<UserRow>> {
  const { row, before } = partsOf(await both(unit.tx, source, id).forNoKeyUpdate().executeTakeFirst())
  checkVersion(row, ifMatch)
  const document = documentAfter(row, wanted)
  const { userId } = row
  const concerned = goneFrom({ userId, document })
  const changes = !same(document, row.document)
  if (changes) {
    const { userName, externalId } = namesIn(document)
    if (userName !== row.userName || externalId !== row.externalId) await checkFree(unit, source, { document, id })
    // Whoever is taken out is, whatever else has come to be wrong with them.
    if (document['active'] === true) checkStillTheirs(source, { userId, document })
  }
  await follow(unit, source, { id, userId, document, before })
  if (!changes) return { row, concerned }
  const written = { ...namesIn(document), version: row.version + 1 }
  const values = { ...written, document: JSON.stringify(document), changedAt: instantParam(unit.now) }
  unit.send(unit.tx.updateTable('scimUser').set(values).where('id', '=', id).execute())
  return { row: { ...row, ...written, document, changedAt: unit.now }, concerned }
}

/** Whatever order they were said in, and the store has its own. */
const same = (one: Document, other: Document): boolean => canonical(one) === canonical(other)

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

/** What the source said of someone, and what the directory made of it. */
const both = (reader: Reader, source: Source, id: string) =>
  reader
    .selectFrom('scimUser')
    .innerJoin('directoryUser', 'directoryUser.id', 'scimUser.userId')
    .selectAll('scimUser')
    .select([
      'directoryUser.source as personSource',
      'directoryUser.externalId as personExternalId',
      'directoryUser.name as personName',
      'directoryUser.email as personEmail',
      'directoryUser.manager as personManager',
      'directoryUser.active as personActive',
    ])
    .where('scimUser.id', '=', id)
    .where('scimUser.source', '=', source.id)

type Both = Awaited<ReturnType<ReturnType<typeof both>['executeTakeFirst']>>

/** @throws {ScimError} where there is nobody of this id */
function partsOf(found: Both): { readonly row: UserRow; readonly before: Before } {
  if (!found) throw notFound()
  const { personSource, personExternalId, personName, personEmail, personManager, personActive, ...row } = found
  const before = {
    source: personSource,
    externalId: personExternalId,
    name: personName,
    email: personEmail,
    manager: personManager,
    active: personActive,
  }
  return { row: row as UserRow, before }
}

/**
 * Gone from the source. Whom configuration declares stays taken out, because configuration alone would let them in; of
 * anyone else nothing is left, and their id is free.
 */
export async function deleteUser(unit: Unit, source: Source, which: Which): Promise<Written<UserRow>> {
  const { row, before } = partsOf(await both(unit.tx, source, which.id).forUpdate().executeTakeFirst())
  checkVersion(row, which.ifMatch)
  const { userId, document } = row
  await unit.tx.deleteFrom('scimUser').where('id', '=', row.id).execute()
  if (isDeclared(source, userId)) {
    await unit.tx
      .deleteFrom('directoryMembership')
      .where('member', '=', `user:${userId}`)
      .where('groupId', 'in', (eb) => eb.selectFrom('directoryGroup').select('id').where('source', '=', source.id))
      .execute()
    await putOver(unit, before, { ...(await personOf(unit.tx, source, row)), active: false })
  } else await removeUser(unit, { id: userId, source: source.id })
  await endAccess(unit, source.snapshot, { user: userId, note: `${source.id} removed its holder.` })
  return { row: { ...row, document: { ...document, active: false } }, concerned: [userId] }
}

const isDeclared = ({ snapshot }: Source, userId: string): boolean =>
  snapshot.declared.users.some(({ id }) => id === userId)

type Checking = { readonly document: Document; readonly id?: string }

/** Two at once: the second is told by the store's unique indexes. */
async function checkFree({ tx }: Unit, source: Source, { document, id = '' }: Checking): Promise<void> {
  const { userName, externalId } = namesIn(document)
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

/** What was being opened while they were taken out. Whoever is still there has lost nothing by this. */
const goneFrom = ({ userId, document }: Pick<Described, 'userId' | 'document'>): string[] =>
  document['active'] === true ? [] : [userId]
