/** The names and marks that Tidegate's own roles carry on a target, by which it knows them again. */

import { type GrantId, isId } from '@tidegate/core'
import type { PostgresConfig } from './config.ts'

type Prefixed = Pick<PostgresConfig, 'rolePrefix'>

/** What no role may be called, or its group role could pass for the login of a grant. */
export const reservedRoleName = /^grt_/

export const groupName = ({ rolePrefix }: Prefixed, role: string): string => `${rolePrefix}${role}`

export const loginName = ({ rolePrefix }: Prefixed, grant: GrantId): string => `${rolePrefix}${grant}`

/** `undefined` for a role that is not the login of a grant. */
export function grantOfLogin({ rolePrefix }: Prefixed, login: string): GrantId | undefined {
  const rest = login.startsWith(rolePrefix) ? login.slice(rolePrefix.length) : ''
  return isId('grant', rest) ? rest : undefined
}

/** Comments on roles. Resource ids hold no spaces, so that one mark is never the beginning of another. */
export const marks = {
  group: (resource: string, role: string): string => `tidegate resource=${resource} role=${role}`,
  login: (resource: string, grant: GrantId): string => `tidegate resource=${resource} grant=${grant}`,
  groupsOf: (resource: string): string => `tidegate resource=${resource} role=`,
  loginsOf: (resource: string): string => `tidegate resource=${resource} grant=`,
} as const
