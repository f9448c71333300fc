/** Who changes the configuration, and who is left to change it back. */

import { fullVariant } from './configuration.ts'
import type { Sight } from './look.ts'
import type { World } from './world.ts'

/** Whoever is needed for the next change is an administrator in the configuration in force. */
export function lockedOut(world: World): string[] {
  const { administrators, fourEyes } = fullVariant(world.variantOf(world.version()))
  const needed = fourEyes ? 2 : 1
  return administrators.length >= needed
    ? []
    : [`version ${world.version()} leaves ${administrators.length} administrators, and takes ${needed}`]
}

/** Where two people are asked for, each version was written by one and let through by another. */
export function changedAlone(world: World, now: Sight): string[] {
  return now.configurations.flatMap(({ version }) => {
    if (version <= 1 || !fullVariant(world.variantOf(version - 1)).fourEyes) return []
    const change = now.changes.find((one) => one.version === version)
    const alone = change?.settled_by === null || change?.settled_by === change?.author
    return change && !alone ? [] : [`version ${version} was made by ${change?.author ?? 'nobody'} alone`]
  })
}
