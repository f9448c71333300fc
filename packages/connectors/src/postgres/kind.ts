/**
 * PostgreSQL, 14 and later. Group roles hold the privileges; each grant is one login that is a member of one group role.
 * The admin login needs CREATEROLE and membership in the owner of what is granted on; it needs no superuser.
 * Trusted: the target itself, and that its pg_hba.conf asks logins for passwords, since VALID UNTIL is about those only.
 */

import type { ConnectorKind } from '../contract.ts'
import { openClientOf } from './client.ts'
import { configSchema, type PostgresConfig } from './config.ts'
import { createPostgresConnector } from './connector.ts'
import { type Privileges, privilegesSchema, roleProblems, tablesGiven } from './privileges.ts'

export const postgres: ConnectorKind<PostgresConfig, Privileges> = {
  kind: 'postgres',
  about: 'A login of its own in PostgreSQL for each grant',
  config: configSchema,
  privileges: privilegesSchema,
  targetKey: ({ host, port, rolePrefix }) => `${host.toLowerCase()}:${port}/${rolePrefix}`,
  problems: roleProblems,
  tablesGiven,
  connect: (target) => createPostgresConnector(target, openClientOf(target)),
}
