/** Groups, as a source pushes them. Configuration says what they mean; who is in them changes with one request for all. */

import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { groupId } from '../directory/write.ts'
import type { Document } from './document.ts'
import { checked, isFields, readDocument, textAt } from './document.ts'
import { notFound, refusal } from './errors.ts'
import { addMembers, isSo, keepMembers, memberKeys, peopleUnder, recordMoves, removeMembers } from './members.ts'
import type { MemberChange } from './patch.ts'
import { applySteps, memberChange, memberIds, readPatch } from './patch.ts'
import type { Row, Which } from './row.ts'
import { checkVersion, newResourceId } from './row.ts'
import { groupType } from './schema.ts'
import type { Source } from './source.ts'
import type { Written } from './users.ts'

export type GroupRow = Row & { readonly groupId: string; readonly name: string }

/** What a sign-in may call a group is what a source may. */
const groupName = /^\P{C}{1,200}$/u

/** Members are no part of what is kept with the group. */
const readGroup = (body: unknown): Document => readDocument(groupType, isFields(body) ? withoutMembers(body) : body)

const withoutMembers = (body: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(body).filter(([key]) => key.toLowerCase() !== 'members'))

function membersIn(body: unknown): string[] {
  const entry = isFields(body) ? Object.entries(body).find(([key]) => key.toLowerCase() === 'members') : undefined
  return memberIds(entry?.[1])
}

function nameOf(document: Document): string {
  const name = textAt(document, 'displayName') ?? ''
  if (groupName.test(name)) return name
  throw refusal('invalidValue', 'displayName is at most 200 characters, all of them visible.')
}

export async function createGroup(unit: Unit, source: Source, body: unknown): Promise<Written<GroupRow>> {
  const document = readGroup(body)
  const name = nameOf(document)
  const added = new Set(membersIn(body))
  const [, keys] = await Promise.all([
    makeGroup(unit, source, name),
    memberKeys(unit, source, { ids: added, missing: 'refuse' }),
  ])
  const { now } = unit
  const row = {
    id: newResourceId(unit.runtime),
    source: source.id,
    groupId: groupId(source.id, name),
    externalId: textAt(document, 'externalId') ?? null,
    name,
  }
  const at = instantParam(now)
  unit.send(
    unit.tx
      .insertInto('scimGroup')
      .values({ ...row, createdAt: at, changedAt: at })
      .execute(),
  )
  record(unit, { source: source.id, group: row.groupId, change: 'added' })
  const come = await addMembers(unit, row.groupId, keys)
  recordMoves(unit, { source: source.id, group: row.groupId, come, gone: [] })
  return { row: { ...row, version: 1, createdAt: now, changedAt: now }, concerned: await peopleUnder(unit, come) }
}

async function makeGroup({ tx }: Unit, source: Source, name: string): Promise<void> {
  const made = await tx
    .insertInto('directoryGroup')
    .values({ id: groupId(source.id, name), source: source.id, externalId: name, name })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  // Two groups of one name would be one in configuration, and whoever is in either would be in both.
  if (!made) throw refusal('uniqueness', `There is a group ${name} already. Configuration calls groups by their names.`)
}

type Said = { readonly source: string; readonly group: string; readonly change: string; readonly before?: string }

const record = (unit: Unit, fields: Said): void =>
  unit.record({ type: 'directory.group-changed', at: unit.now, fields })

/** What a body asks for. */
export type GroupChange = {
  readonly change: (before: Document) => Document
  readonly members: MemberChange
}

export function replacingGroup(body: unknown): GroupChange {
  const after = readGroup(body)
  return { change: () => after, members: { anew: true, added: new Set(membersIn(body)), removed: new Set<string>() } }
}

export function patchingGroup(body: unknown): GroupChange {
  const steps = readPatch(groupType, body)
  const ofMembers = steps.filter(({ attribute }) => attribute.name === 'members')
  const others = steps.filter(({ attribute }) => attribute.name !== 'members')
  return {
    change: (before) => checked(groupType, applySteps(before, others)),
    members: memberChange(ofMembers),
  }
}

type Change = Which & { readonly wanted: GroupChange }

const documentAfter = ({ name, externalId }: GroupRow, { change }: GroupChange): Document =>
  change({ displayName: name, ...(externalId !== null && { externalId }) })

/** @returns the row, where nothing is to be done: not worth a lock. `undefined`: something is, under a lock */
export async function groupAsItIs(
  reader: Reader,
  source: Source,
  { id, ifMatch, wanted }: Change,
): Promise<GroupRow | undefined> {
  const row = await findGroup(reader, source, id)
  checkVersion(row, ifMatch)
  const document = documentAfter(row, wanted)
  const isNamedSo = nameOf(document) === row.name && (textAt(document, 'externalId') ?? null) === row.externalId
  return isNamedSo && (await isSo(reader, source, { group: row.groupId, wanted: wanted.members })) ? row : undefined
}

export async function changeGroup(
  unit: Unit,
  source: Source,
  { id, ifMatch, wanted }: Change,
): Promise<Written<GroupRow>> {
  const before = await lockGroup(unit, source, id)
  checkVersion(before, ifMatch)
  const document = documentAfter(before, wanted)
  const renamed = await renameGroup(unit, source, { row: before, name: nameOf(document) })
  const moved = await changeMembers(unit, source, { row: renamed.row, wanted: wanted.members })
  const concerned = [...renamed.concerned, ...moved.concerned]
  const said = textAt(document, 'externalId') ?? null
  if (renamed.row === before && !moved.changed && said === before.externalId) return { row: before, concerned }
  const written = { externalId: said, version: before.version + 1 }
  const values = { ...written, changedAt: instantParam(unit.now) }
  unit.send(unit.tx.updateTable('scimGroup').set(values).where('id', '=', id).execute())
  return { row: { ...renamed.row, ...written, changedAt: unit.now }, concerned }
}

export async function findGroup(reader: Reader, source: Source, id: string): Promise<GroupRow> {
  const row = await groupOf(reader, source, id).executeTakeFirst()
  if (!row) throw notFound()
  return row
}

const groupOf = (reader: Reader, source: Source, id: string) =>
  reader.selectFrom('scimGroup').selectAll().where('id', '=', id).where('source', '=', source.id)

/**
 * Locked until the transaction ends: of two that change it the second sees what the first did. Others may put it into
 * theirs meanwhile: of two groups that get each other, neither would ever have its turn.
 */
async function lockGroup({ tx }: Unit, source: Source, id: string): Promise<GroupRow> {
  const row = await groupOf(tx, source, id).forNoKeyUpdate().executeTakeFirst()
  if (!row) throw notFound()
  return row
}

type Renaming = { readonly row: GroupRow; readonly name: string }

/** What rested on the old name rests on nothing, until configuration says the new one. */
async function renameGroup(unit: Unit, source: Source, { row, name }: Renaming): Promise<Written<GroupRow>> {
  if (name === row.name) return { row, concerned: [] }
  const { tx } = unit
  await makeGroup(unit, source, name)
  const [before, after] = [row.groupId, groupId(source.id, name)]
  const concerned = await peopleUnder(unit, [`group:${before}`])
  await tx.updateTable('directoryMembership').set({ groupId: after }).where('groupId', '=', before).execute()
  await tx
    .updateTable('directoryMembership')
    .set({ member: `group:${after}` })
    .where('member', '=', `group:${before}`)
    .execute()
  await tx.updateTable('scimGroup').set({ groupId: after, name }).where('id', '=', row.id).execute()
  await tx.deleteFrom('directoryGroup').where('id', '=', before).execute()
  record(unit, { source: source.id, group: after, change: 'renamed', before })
  return { row: { ...row, groupId: after, name }, concerned }
}

type Moving = { readonly row: GroupRow; readonly wanted: MemberChange }
type Moved = { readonly changed: boolean; readonly concerned: readonly string[] }

async function changeMembers(unit: Unit, source: Source, { row, wanted }: Moving): Promise<Moved> {
  const { anew } = wanted
  const [added, dropped] = await Promise.all([
    memberKeys(unit, source, { ids: wanted.added, missing: 'refuse' }),
    memberKeys(unit, source, { ids: wanted.removed, missing: 'skip' }),
  ])
  const [gone, come] = await Promise.all([
    anew ? keepMembers(unit, row.groupId, added) : removeMembers(unit, row.groupId, dropped),
    addMembers(unit, row.groupId, added),
  ])
  recordMoves(unit, { source: source.id, group: row.groupId, come, gone })
  return { changed: come.length + gone.length > 0, concerned: await peopleUnder(unit, [...come, ...gone]) }
}

export async function deleteGroup(unit: Unit, source: Source, which: Which): Promise<Written<GroupRow>> {
  const row = await lockGroup(unit, source, which.id)
  checkVersion(row, which.ifMatch)
  const concerned = await peopleUnder(unit, [`group:${row.groupId}`])
  const gone = await keepMembers(unit, row.groupId, [])
  recordMoves(unit, { source: source.id, group: row.groupId, come: [], gone })
  const { tx } = unit
  await tx.deleteFrom('directoryMembership').where('member', '=', `group:${row.groupId}`).execute()
  await tx.deleteFrom('scimGroup').where('id', '=', row.id).execute()
  await tx.deleteFrom('directoryGroup').where('id', '=', row.groupId).execute()
  record(unit, { source: source.id, group: row.groupId, change: 'removed' })
  return { row, concerned }
}
