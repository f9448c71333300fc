/** The names and marks that Tidegate's own roles carry on a target, by which it knows them again. */

import { type GrantId, isId } from '@tidegate/core'
import type { PostgresConfig } from './config.ts'

type Prefixed = Pick<PostgresConfig, 'rolePrefix'>

/** What no role may be called, or its group role could pass for the login of a grant or for an issuer. */
export const reservedRoleName = /^(grt|issuer)_/

export const groupName = ({ rolePrefix }: Prefixed, role: string): string => `${rolePrefix}${role}`

export const loginName = ({ rolePrefix }: Prefixed, grant: GrantId): string => `${rolePrefix}${grant}`

/** More of them make each statement cheaper where thousands of logins are live, and are more to look at elsewhere. */
const issuers = 32

export const issuerNames = ({ rolePrefix }: Prefixed): readonly string[] =>
  Array.from({ length: issuers }, (_, n) => `${rolePrefix}issuer_${n}`)

/** `undefined` for a role that is not the login of a grant. */
export function grantOfLogin({ rolePrefix }: Prefixed, login: string): GrantId | undefined {
  const rest = login.startsWith(rolePrefix) ? login.slice(rolePrefix.length) : ''
  return isId('grant', rest) ? rest : undefined
}

/** Comments on roles. Resource ids hold no spaces, so that one mark is never the beginning of another. */
export const marks = {
  group: (resource: string, role: string): string => `tidegate resource=${resource} role=${role}`,
  login: (resource: string, grant: GrantId): string => `tidegate resource=${resource} grant=${grant}`,
  /** They belong to the prefix, and so to every resource that has it. */
  issuer: 'tidegate issuer',
  groupsOf: (resource: string): string => `tidegate resource=${resource} role=`,
  loginsOf: (resource: string): string => `tidegate resource=${resource} grant=`,
} as const
