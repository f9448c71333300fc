/** What an entry says of an agent's chain: at its end somebody's own data, and the agents between. */

import type { Principal } from '@tidegate/core'
import { chainOf, principalKey } from '@tidegate/core'

export type ActsFor = { readonly onBehalfOf?: string; readonly through?: string[] }

/** Nothing for whoever acts for nobody. */
export function actsForFields(principal: Principal): ActsFor {
  const keys = chainOf(principal).slice(1).map(principalKey)
  const last = keys.at(-1)
  if (last === undefined) return {}
  const through = keys.slice(0, -1)
  return { onBehalfOf: last, ...(through.length > 0 && { through }) }
}
