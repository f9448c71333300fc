/** What of a pushed person goes into the directory, and the end of everything where they are not active. */

import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { endAccess } from '../directory/end-access.ts'
import type { Before, DirectoryUser } from '../directory/write.ts'
import { putOver } from '../directory/write.ts'
import type { Document } from './document.ts'
import { elementAt, textAt } from './document.ts'
import type { Source } from './source.ts'
import { findAddress } from './source.ts'

export type Described = { readonly id: string; readonly userId: string; readonly document: Document }

/** @property before as it is locked; absent: the directory does not know them yet */
type Following = Described & { readonly before: Before | undefined }

export async function follow(unit: Unit, source: Source, { before, ...described }: Following): Promise<void> {
  const person = await personOf(unit.tx, source, described)
  const note = `${source.id} said that its holder is not active.`
  await Promise.all([
    putOver(unit, before, person),
    person.active || endAccess(unit, source.snapshot, { user: person.id, note }),
  ])
}

export async function personOf(
  reader: Reader,
  source: Source,
  { id, userId, document }: Described,
): Promise<DirectoryUser> {
  const name = nameOf(document)
  const manager = await managerOf(reader, source, document)
  const email = findAddress(source, document)
  const about = {
    ...(email !== undefined && { email }),
    ...(name !== undefined && { name }),
    ...(manager !== undefined && { manager }),
  }
  const externalId = externalIdOf({ id, document })
  return { id: userId, source: source.id, externalId, active: document['active'] === true, about }
}

/** What the source calls them for ever, as far as it says; otherwise what we call them there. */
export const externalIdOf = ({ id, document }: Omit<Described, 'userId'>): string =>
  textAt(document, 'externalId') ?? id

function nameOf(document: Document): string | undefined {
  const { formatted, givenName, familyName } = elementAt(document, 'name') ?? {}
  const parts = [givenName, familyName].filter((part) => typeof part === 'string')
  const name = textAt(document, 'displayName') ?? formatted ?? (parts.length > 0 ? parts.join(' ') : undefined)
  return typeof name === 'string' ? name.slice(0, 200) : undefined
}

/** Only one of its own people. Who is pushed later is their manager once this is said again. */
async function managerOf(reader: Reader, source: Source, document: Document): Promise<string | undefined> {
  const value = elementAt(document, 'manager')?.['value']
  if (typeof value !== 'string') return undefined
  const row = await reader
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
