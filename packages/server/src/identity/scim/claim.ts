/** Who a pushed person is, once and for ever. */

import type { Unit } from '../../store/change.ts'
import type { Before } from '../directory/write.ts'
import type { Document } from './document.ts'
import { textAt } from './document.ts'
import { refusal } from './errors.ts'
import type { Described } from './follow.ts'
import type { Named, Source } from './source.ts'
import { addressOf, declaredFor } from './source.ts'

type Naming = { readonly userId: string; readonly declared?: Named }

/** Who this is, from here on. @throws {ScimError} `invalidValue` */
export function idOf(source: Source, document: Document): Naming {
  const address = addressOf(source, document)
  const declared = declaredFor(source, document, address)
  const userId = declared?.user.id ?? address
  if (!/^[a-z0-9][a-z0-9._@+-]{0,127}$/.test(userId))
    throw refusal(
      'invalidValue',
      `${userId} cannot be the id of a person: lower-case letters, digits and . _ @ + - can.`,
    )
  return { userId, ...(declared && { declared }) }
}

type Claiming = Naming & { readonly document: Document; readonly known: Before }

/** Whom the directory knows by this id already, if they may be this one. */
export async function claim(
  unit: Unit,
  source: Source,
  { userId, declared, document, known }: Claiming,
): Promise<Before> {
  const another = () =>
    refusal(
      'uniqueness',
      `${userId} is another person. Delete that one at the source, or name in configuration whose sign-in is theirs.`,
    )
  if (known.source === source.id) {
    // Left behind by one who was removed: the address is not enough to be that person again.
    const isThem = declared?.by === 'subject' || known.externalId === textAt(document, 'externalId')
    if (declared && !isThem) throw another()
    return known
  }
  // They signed in before they were pushed: the same authority says who they are.
  if (known.source !== source.provider.id || declared) throw another()
  await unit.tx.updateTable('directoryUser').set({ source: source.id }).where('id', '=', userId).execute()
  return { ...known, source: source.id }
}

/** Whose it is never changes. What would make it someone else's is refused. */
export function checkStillTheirs(source: Source, { userId, document }: Pick<Described, 'userId' | 'document'>): void {
  const declared = declaredFor(source, document, addressOf(source, document))
  if (!declared || declared.user.id === userId) return
  throw refusal('uniqueness', `This is ${userId}, and would become ${declared.user.id}. Create that person anew.`)
}
