/** What the sessions of a grant are held to: by its role, and by what policy asks for. Said here and nowhere else. */

import { createHash } from 'node:crypto'
import type { Grant, ObligationKind } from '@tidegate/core'
import { obligationKinds } from '@tidegate/core'
import { strictest } from '../configuration/rule-sets.ts'
import type { Rules, Snapshot } from '../configuration/snapshot.ts'

/** A grant, as far as its rules depend on it. */
export type Held = Pick<Grant, 'resource' | 'role' | 'obligations'>

/** `undefined`: its role, or something that is asked for, is not there any more, and nobody could say what holds. */
export function rulesOfGrant(
  { resources, sets }: Pick<Snapshot, 'resources' | 'sets'>,
  { resource, role, obligations }: Held,
): Rules | undefined {
  const rules = resources.get(resource)?.roles.get(role)?.rules
  const isDeclared = obligations.every(({ kind, name }) => sets[obligationKinds[kind]].has(name))
  if (!rules || !isDeclared) return undefined
  const asked = <T>(kind: ObligationKind, declared: ReadonlyMap<string, T>): T[] =>
    obligations.flatMap((one) => (one.kind === kind ? [declared.get(one.name) as T] : []))
  return {
    guards: [...rules.guards, ...asked('guard', sets.guards)],
    masks: [...rules.masks, ...asked('mask', sets.masks)],
    recording: strictest(rules.recording, asked('record', sets.recordings)),
  }
}

/**
 * Another one for other rules. The same rules written in another order are others: a session that ends for nothing costs
 * less than one that goes on under what no longer holds.
 */
export const editionOf = (rules: Rules): string =>
  createHash('sha256').update(JSON.stringify(rules)).digest('base64url').slice(0, 22)

/** For many grants of few roles, in the same configuration. `undefined` as above. */
export function editionsIn(snapshot: Snapshot): (held: Held) => string | undefined {
  const known = new Map<string, string | undefined>()
  return (held) => {
    const key = JSON.stringify([held.resource, held.role, held.obligations])
    if (!known.has(key)) {
      const rules = rulesOfGrant(snapshot, held)
      known.set(key, rules && editionOf(rules))
    }
    return known.get(key)
  }
}
