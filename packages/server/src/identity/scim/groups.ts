/** Groups, as a source pushes them. Configuration says what they mean; who is in them changes with one request for all. */

import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { groupId } from '../directory/write.ts'
import type { Document } from './document.ts'
import { checked, isFields, readDocument, textAt } from './document.ts'
import { notFound, refusal } from './errors.ts'
import { addMembers, keepMembers, memberKeys, peopleUnder, recordMoves, removeMembers } from './members.ts'
import type { MemberChange } from './patch.ts'
import { applySteps, memberChange, memberIds, readPatch } from './patch.ts'
import type { Row } from './row.ts'
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
  const members = membersIn(body)
  await makeGroup(unit, source, name)
  const at = instantParam(unit.now)
  const row: GroupRow = await unit.tx
    .insertInto('scimGroup')
    .values({
      id: newResourceId(unit.runtime),
      source: source.id,
      groupId: groupId(source.id, name),
      externalId: textAt(document, 'externalId') ?? null,
      name,
      createdAt: at,
      changedAt: at,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  record(unit, { source: source.id, group: row.groupId, change: 'added' })
  const wanted = { anew: false, added: new Set(members), removed: new Set<string>() }
  const { concerned } = await changeMembers(unit, source, { row, wanted })
  return { row, concerned }
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

type Changing = { readonly id: string; readonly ifMatch?: string | undefined; readonly body: unknown }

export async function replaceGroup(
  unit: Unit,
  source: Source,
  { id, ifMatch, body }: Changing,
): Promise<Written<GroupRow>> {
  const after = readGroup(body)
  const members = { anew: true, added: new Set(membersIn(body)), removed: new Set<string>() }
  return changeGroup(unit, source, { id, ifMatch, change: () => after, members })
}

export async function patchGroup(
  unit: Unit,
  source: Source,
  { id, ifMatch, body }: Changing,
): Promise<Written<GroupRow>> {
  const steps = readPatch(groupType, body)
  const ofMembers = steps.filter(({ attribute }) => attribute.name === 'members')
  const others = steps.filter(({ attribute }) => attribute.name !== 'members')
  const change = (before: Document): Document => checked(groupType, applySteps(before, others))
  return changeGroup(unit, source, { id, ifMatch, change, members: memberChange(ofMembers) })
}

type Change = Omit<Changing, 'body'> & {
  readonly change: (before: Document) => Document
  readonly members: MemberChange
}

async function changeGroup(
  unit: Unit,
  source: Source,
  { id, ifMatch, change, members }: Change,
): Promise<Written<GroupRow>> {
  const before = await lockGroup(unit, source, id)
  checkVersion(before, ifMatch)
  const { externalId } = before
  const document = change({ displayName: before.name, ...(externalId !== null && { externalId }) })
  const renamed = await renameGroup(unit, source, { row: before, name: nameOf(document) })
  const moved = await changeMembers(unit, source, { row: renamed.row, wanted: members })
  const concerned = [...renamed.concerned, ...moved.concerned]
  const said = textAt(document, 'externalId') ?? null
  if (renamed.row === before && !moved.changed && said === externalId) return { row: before, concerned }
  const row = await unit.tx
    .updateTable('scimGroup')
    .set((eb) => ({ externalId: said, version: eb('version', '+', 1), changedAt: instantParam(unit.now) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { row, concerned }
}

/** Locked until the transaction ends: of two that change it the second sees what the first did. */
async function lockGroup({ tx }: Unit, source: Source, id: string): Promise<GroupRow> {
  const row = await tx
    .selectFrom('scimGroup')
    .selectAll()
    .where('id', '=', id)
    .where('source', '=', source.id)
    .forUpdate()
    .executeTakeFirst()
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
  const added = await memberKeys(unit, source, { ids: wanted.added, missing: 'refuse' })
  const dropped = await memberKeys(unit, source, { ids: wanted.removed, missing: 'skip' })
  const gone = anew ? await keepMembers(unit, row.groupId, added) : await removeMembers(unit, row.groupId, dropped)
  const come = await addMembers(unit, row.groupId, added)
  recordMoves(unit, { source: source.id, group: row.groupId, come, gone })
  return { changed: come.length + gone.length > 0, concerned: await peopleUnder(unit, [...come, ...gone]) }
}

export async function deleteGroup(
  unit: Unit,
  source: Source,
  which: Omit<Changing, 'body'>,
): Promise<Written<GroupRow>> {
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
