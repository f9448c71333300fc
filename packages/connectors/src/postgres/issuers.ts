/**
 * Issuers: a few roles without login, each the maker of a part of the logins.
 *
 * From PostgreSQL 16 on whoever makes a role without being a superuser becomes its administrator, by a membership that
 * only a superuser can take back. Every later statement about a role asks whether the current user administers it, and
 * for that PostgreSQL walks through everything the user is a member of, anew after each change of any membership. With
 * 5,000 logins made by one admin such a statement takes 11 ms instead of 0.3. So the admin acts as one of several
 * makers, and each walk covers the logins of that one.
 */

import type { GrantId } from '@tidegate/core'
import type { Target } from '../contract.ts'
import type { Change, Problem } from './acl.ts'
import type { Session } from './attempt.ts'
import type { PostgresConfig } from './config.ts'
import type { Plan, Within } from './groups.ts'
import { issuerNames, issuerOf, marks } from './names.ts'
import type { Privileges } from './privileges.ts'
import { identifierList, sqlFile } from './sql-file.ts'

const asIssuerSql = sqlFile('as-issuer.sql')
const issuersSql = sqlFile('align-issuers.sql')
const makeIssuerSql = sqlFile('align-make-issuer.sql')
const shapeIssuerSql = sqlFile('align-shape-issuer.sql')
const actAsIssuerSql = sqlFile('align-act-as-issuer.sql')
const keepGroupSql = sqlFile('align-keep-group.sql')

type Asking = Pick<Session, 'serverVersion'>

/** Before 16 whoever may make roles may change any, and there is nobody to act as. */
const hasIssuers = ({ serverVersion }: Asking): boolean => serverVersion >= 160_000

/** What to put before statements about the login of a grant; what follows has to be in the same transaction. */
export const asIssuer = (session: Asking, config: PostgresConfig, grant: GrantId): string =>
  hasIssuers(session) ? `${asIssuerSql({ issuer: issuerOf(config, grant) })}\n` : ''

type Login = { readonly grant: GrantId; readonly name: string }

/** The statements for each of the logins, with as few changes of the issuer as there can be. */
export function asIssuers(
  session: Asking,
  config: PostgresConfig,
  logins: readonly Login[],
): (statements: (login: string) => string) => string {
  const parts = new Map<string, string[]>()
  for (const { grant, name } of logins) {
    const issuer = asIssuer(session, config, grant)
    const names = parts.get(issuer) ?? []
    parts.set(issuer, names)
    names.push(name)
  }
  return (statements) => [...parts].map(([issuer, names]) => issuer + names.map(statements).join('\n')).join('\n')
}

type Issuer = {
  readonly name: string
  readonly mark: string | null
  readonly misshapen: boolean
  readonly attributes: readonly string[]
  readonly ours: boolean
  readonly administered: boolean
  readonly keeps: readonly string[]
}

type IssuerTarget = Pick<Target<PostgresConfig, Privileges>, 'config'>

const readIssuers = async (
  { config }: IssuerTarget,
  { read }: Pick<Session, 'read'>,
  groups: readonly string[],
): Promise<readonly Issuer[]> => (await read(issuersSql(), [issuerNames(config), groups])) as readonly Issuer[]

/** Names of those that are as Tidegate makes them: what a survey need not speak of. */
export async function soundIssuers(target: IssuerTarget, session: Session): Promise<readonly string[]> {
  const found = hasIssuers(session) ? await readIssuers(target, session, []) : []
  return found
    .filter((one) => one.mark === marks.issuer && !one.misshapen && one.attributes.length === 0)
    .map(({ name }) => name)
}

/** @param groups names of the group roles that logins are to be made members of */
export async function planIssuers(
  target: IssuerTarget,
  within: Within,
  groups: readonly string[],
): Promise<Plan & { readonly stranger?: Problem }> {
  if (!hasIssuers(within)) return { changes: [], problems: [] }
  const names = issuerNames(target.config)
  const found = await readIssuers(target, within, groups)
  const stranger = strangerAmong(found)
  if (stranger) return { changes: [], problems: [], stranger }
  const missing = names.filter((name) => !found.some((one) => one.name === name))
  return {
    changes: [
      ...(missing.length === 0 ? [] : [makeIssuers(missing)]),
      ...found.filter(({ misshapen }) => misshapen).map(shapeIssuer),
      ...found.filter(({ ours }) => !ours).map(actAsIssuer),
      ...groups.flatMap((group) => keepGroup(group, keptFrom(group, names, found))),
    ],
    problems: found
      .filter(({ attributes }) => attributes.length > 0)
      .map(({ name, attributes }): Problem => ({
        cause: 'refused',
        message: `someone gave ${name} ${attributes.join(', ')} on the target; a superuser has to take that back with ALTER ROLE`,
      })),
  }
}

/** Resources of one prefix share them, if they have the same admin. */
function strangerAmong(found: readonly Issuer[]): Problem | undefined {
  const stranger = found.find(({ mark, administered }) => mark !== marks.issuer || !administered)
  if (stranger === undefined) return undefined
  const message =
    stranger.mark === marks.issuer
      ? `the target has a role ${stranger.name} that another admin login made; choose another connection.rolePrefix, or use that admin login`
      : `the target has a role ${stranger.name} that Tidegate did not make; choose another connection.rolePrefix, or drop that role`
  return { cause: 'misconfigured', message }
}

const makeIssuers = (names: readonly string[]): Change => ({
  sql: names
    .flatMap((issuer) => [makeIssuerSql({ issuer, mark: marks.issuer }), actAsIssuerSql({ issuer })])
    .join('\n'),
  words: `make issuers, which make logins for the admin login: ${names.join(', ')}`,
})

const shapeIssuer = ({ name }: Issuer): Change => ({
  sql: shapeIssuerSql({ issuer: name }),
  words: `make ${name} a role without login that makes roles`,
})

const actAsIssuer = ({ name }: Issuer): Change => ({
  sql: actAsIssuerSql({ issuer: name }),
  words: `let the admin login act as ${name}`,
})

/** Issuers that may not make members of the group yet. */
const keptFrom = (group: string, names: readonly string[], found: readonly Issuer[]): readonly string[] =>
  names.filter((name) => !found.some((one) => one.name === name && one.keeps.includes(group)))

const keepGroup = (group: string, issuers: readonly string[]): readonly Change[] =>
  issuers.length === 0
    ? []
    : [
        {
          sql: keepGroupSql({ group, issuers: identifierList(issuers) }),
          words: `let ${issuers.length} issuers make members of ${group}`,
        },
      ]
