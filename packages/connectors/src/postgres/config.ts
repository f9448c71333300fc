/** A PostgreSQL resource's `connection` in configuration. */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { identifierFault } from './sql-file.ts'

/** A name of something in PostgreSQL, in any writing: it is always quoted. */
export const nameSchema = z.string('write a name here').superRefine((name, context) => {
  const fault = identifierFault(name)
  if (fault !== undefined)
    context.addIssue({ code: 'custom', message: `this name ${fault}; PostgreSQL cannot hold it` })
})

const distinct = (names: readonly string[]): boolean => new Set(names).size === names.length

export const nameList = z.array(nameSchema).min(1, 'name at least one').refine(distinct, 'a name stands here twice')

const reference = (field: string) =>
  z
    .string(`${field} has to be a reference`)
    .regex(
      /^(env|file):.+/s,
      `${field} has to be a reference, env:NAME or file:PATH; the value itself does not belong here`,
    )

export const configSchema = z.strictObject({
  host: z
    .string('host has to be a host name or an address')
    .regex(/^[A-Za-z0-9._:-]+$/, 'host has to be a host name or an IP address, without port, user or path'),
  port: z
    .int('port has to be a number')
    .min(1, 'port has to be 1 to 65535')
    .max(65_535, 'port has to be 1 to 65535')
    .default(5432),
  /** Those that roles may speak of. The first is the one Tidegate connects to by itself. */
  databases: nameList,
  /** Needs LOGIN, CREATEROLE, membership in `owner`, and nothing else. */
  user: nameSchema,
  password: reference('password'),
  tls: z
    .enum(['verify-full', 'disable'], "tls has to be 'verify-full', or 'disable' where no network is crossed")
    .default('verify-full'),
  /** PEM of the certificate authority; absent: those that Node.js trusts. */
  ca: reference('ca').optional(),
  /** Gets what the login of a grant still owns when the grant ends. */
  owner: nameSchema,
  rolePrefix: z
    .string('rolePrefix has to be a text')
    .max(limits.rolePrefixLength, `rolePrefix has to be at most ${limits.rolePrefixLength} characters`)
    .regex(/^[a-z_][a-z0-9_]*$/, 'rolePrefix has to begin with a letter or _ and go on with a-z, 0-9 and _')
    .refine(
      (prefix) => !prefix.startsWith('pg_'),
      'rolePrefix cannot begin with pg_, which PostgreSQL keeps for itself',
    )
    .default('tidegate_'),
  /** How many sessions one grant may have at once. */
  connectionLimit: z
    .int('connectionLimit has to be a number')
    .min(1, 'connectionLimit has to be at least 1')
    .max(1000, 'connectionLimit has to be at most 1000')
    .default(5),
  /** What an unqualified name means to the holder of a grant. No `$user`: a schema of that name would be a trap. */
  searchPath: nameList
    .refine((schemas) => !schemas.includes('$user'), 'searchPath has to name schemas; $user is not one')
    .default(['public']),
})

export type PostgresConfig = z.infer<typeof configSchema>

export const primaryDatabase = ({ databases }: PostgresConfig): string => {
  const [first] = databases
  if (first === undefined) throw new TypeError('a checked configuration names a database')
  return first
}
