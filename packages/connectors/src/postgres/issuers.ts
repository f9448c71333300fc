/**
 * Issuers: a few roles without login, each the maker of a part of the logins.
 *
 * From PostgreSQL 16 on whoever makes a role without being a superuser becomes its administrator, by a membership that
 * only a superuser can take back. Every later statement about a role asks whether the current user administers it, and
 * for that PostgreSQL walks through everything the user is a member of, anew after each change of any membership. With
 * 5,000 logins made by one admin such a statement takes 11 ms instead of 0.3. So the admin acts as one of several
 * makers, and each walk covers the logins of that one. Acting as one takes a look through them all, of 3 ms, and so goes
 * before many statements rather than few.
 */

import type { Target } from '../contract.ts'
import type { Change, Problem } from './acl.ts'
import type { Session } from './attempt.ts'
import type { PostgresConfig } from './config.ts'
import type { Plan, Within } from './groups.ts'
import { issuerNames, marks } from './names.ts'
import type { Privileges } from './privileges.ts'
import { identifierList, sqlFile } from './sql-file.ts'

const asIssuerSql = sqlFile('as-issuer.sql')
const asItselfSql = sqlFile('as-itself.sql')
const someIssuerSql = sqlFile('some-issuer.sql')
const issuerOfSql = sqlFile('issuer-of.sql')
const issuersSql = sqlFile('align-issuers.sql')
const makeIssuerSql = sqlFile('align-make-issuer.sql')
const shapeIssuerSql = sqlFile('align-shape-issuer.sql')
const actAsIssuerSql = sqlFile('align-act-as-issuer.sql')
const keepGroupSql = sqlFile('align-keep-group.sql')

type Asking = Pick<Session, 'serverVersion'>

/** Before 16 whoever may make roles may change any, and there is nobody to act as. */
const hasIssuers = ({ serverVersion }: Asking): boolean => serverVersion >= 160_000

/** What to put before statements about logins. What follows has to be in the same transaction. */
const actAs = (issuer: string | undefined): string => (issuer === undefined ? '' : `${asIssuerSql({ issuer })}\n`)

/**
 * For logins that are to be made. One issuer makes some in a row, because those that are opened together often end
 * together, and which it is, is chance, so that in the long run each makes as many.
 */
export function createIssuing({ config, random }: IssuerTarget): (session: Asking, logins: number) => string {
  const names = issuerNames(config)
  let issuer = names[0]
  let left = 0
  return (session, logins) => {
    if (!hasIssuers(session)) return ''
    if (left <= 0) {
      issuer = names[(random(1)[0] ?? 0) % names.length]
      left = inARow
    }
    left -= logins
    return actAs(issuer)
  }
}

const inARow = 64

/** For what has to work also where there are none, or not yet. */
export const asSomeIssuerThere = (session: Session, config: PostgresConfig): Promise<string> =>
  actingFor(session, someIssuerSql(), [issuerNames(config)])

/** For a login that is there. Nothing, where the admin itself made it. */
export const asIssuerOf = (session: Session, config: PostgresConfig, login: string): Promise<string> =>
  actingFor(session, issuerOfSql(), [login, issuerNames(config)])

async function actingFor(session: Session, query: string, values: readonly unknown[]): Promise<string> {
  if (!hasIssuers(session)) return ''
  const [found] = await session.read(query, values)
  return actAs(found && String(found['issuer']))
}

export type Made = { readonly name: string; readonly issuer: string | undefined }

/** The statements for each of the logins, with as few changes of the issuer as there can be. */
export function asIssuers(logins: readonly Made[], statements: (login: string) => string): string {
  const parts = new Map<string | undefined, string[]>()
  for (const { issuer, name } of logins) parts.set(issuer, [...(parts.get(issuer) ?? []), statements(name)])
  return [...parts].map(([issuer, texts]) => (actAs(issuer) || `${asItselfSql()}\n`) + texts.join('\n')).join('\n')
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

type IssuerTarget = Target<PostgresConfig, Privileges>

const readIssuers = async (
  { config }: Pick<IssuerTarget, 'config'>,
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
