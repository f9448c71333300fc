/** What the sessions of a grant are held to: by its role, and by what policy asks for. Said here and nowhere else. */

import type { Grant, ObligationKind } from '@tidegate/core'
import { obligationKinds } from '@tidegate/core'
import { strictest } from '../configuration/rule-sets.ts'
import type { Rules, Snapshot } from '../configuration/snapshot.ts'

/** `undefined`: its role, or something that is asked for, is not there any more, and nobody could say what holds. */
export function rulesOfGrant(
  { resources, sets }: Pick<Snapshot, 'resources' | 'sets'>,
  { resource, role, obligations }: Pick<Grant, 'resource' | 'role' | 'obligations'>,
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
