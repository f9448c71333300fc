/**
 * Whom a source has taken out. Their grants, reviews and entries stay under their id, so nobody else is given it: who
 * comes with the same address later, and is someone else by what the source calls them, begins with nothing.
 */

import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'

type Person = { readonly id: string; readonly source: string; readonly externalId: string }

export async function rememberFormer({ tx, now }: Unit, { id, source, externalId }: Person): Promise<void> {
  const values = { source, externalId, removedAt: instantParam(now) }
  await tx
    .insertInto('formerUser')
    .values({ id, ...values })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute()
}

/** Ids have 128 characters at most. */
const longest = 120

/** `erin@example.com`, or, where that was another's, `erin@example.com+2`. */
export async function idNeverGiven(reader: Reader, { id, source, externalId }: Person): Promise<string> {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? id : `${id.slice(0, longest)}+${number}`
    const former = await reader.selectFrom('formerUser').selectAll().where('id', '=', candidate).executeTakeFirst()
    const isFree = !former || (former.source === source && former.externalId === externalId)
    if (isFree) return candidate
  }
}
