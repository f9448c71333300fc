/** The verb `align`. */

import type { AlignOutcome, Target } from '../contract.ts'
import { type Change, changesFor, difference, type Held, type Problem, type TargetObject, wantedIn } from './acl.ts'
import { type Attempt, attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { failureOf, isAnswer, isDuplicate, targetError } from './failure.ts'
import { groupsInUse, isOurs, planGroups, planMemberships, readGroups, unusedGroups, type Within } from './groups.ts'
import { claimText, handOver, leftOf } from './hand-over.ts'
import { planIssuers } from './issuers.ts'
import type { Pool } from './pool.ts'
import { type Privileges, roleProblems } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const databasesSql = sqlFile('align-databases.sql')
const objectsSql = sqlFile('align-objects.sql')
const heldSql = sqlFile('align-held.sql')
const straysSql = sqlFile('align-strays.sql')
const handOverSql = sqlFile('align-hand-over.sql')
const leaveSql = sqlFile('leave.sql')
const dropGroupSql = sqlFile('align-drop-group.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>

type Aligned = { readonly changes: readonly string[]; readonly problems: readonly Problem[] }

/**
 * One transaction for each database; what concerns the cluster goes with the first. A problem with one thing keeps
 * nothing else from being put right: a table that is missing does not keep a privilege too many in place.
 */
export async function align(target: PostgresTarget, pool: Pool): Promise<AlignOutcome> {
  const { config, roles, limits } = target
  const wrong = roleProblems(config, roles)
  if (wrong.length > 0) return failureOf(targetError('misconfigured', wrong.join('; ')), true)
  return attempt({ pool, timeoutMs: limits.operationTimeoutMs }, async (run): Promise<AlignOutcome> => {
    const parts: Aligned[] = []
    for (const database of config.databases) {
      parts.push(
        await onceMoreIfDuplicate(() =>
          run.on(database, (session) => session.transaction((within) => alignDatabase(target, within, database))),
        ),
      )
    }
    parts.push(await dropUnused(target, run))
    const changes = parts.flatMap((part) => part.changes)
    const problems = parts.flatMap((part) => part.problems)
    if (problems.length > 0) throw unaligned(problems, changes)
    return { outcome: 'aligned', changes }
  })
}

/** Another resource on this cluster was given the same issuers just now: they are there when one looks again. */
async function onceMoreIfDuplicate<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isDuplicate(error)) throw error
    return work()
  }
}

function unaligned(problems: readonly Problem[], changes: readonly string[]): Error {
  const cause = problems.some((problem) => problem.cause === 'refused') ? 'refused' : 'misconfigured'
  const rest = changes.length === 0 ? 'the rest is as configured' : `the rest was put right (${changes.length} changes)`
  return targetError(cause, `${[...new Set(problems.map(({ message }) => message))].join('; ')}; ${rest}`)
}

async function alignDatabase(target: PostgresTarget, within: Within, database: string): Promise<Aligned> {
  const isPrimary = database === primaryDatabase(target.config)
  const shared = isPrimary ? await alignShared(target, within) : { changes: [], problems: [] }
  const groups = (await readGroups(target, within)).filter((group) => isOurs(target, group)).map(({ name }) => name)
  const strays = await alignStrays(target, within, groups)
  const held = await alignHeld(target, within, { database, groups })
  return {
    changes: [...shared.changes, ...strays.changes, ...held.changes],
    problems: [...shared.problems, ...strays.problems, ...held.problems],
  }
}

async function alignShared(target: PostgresTarget, within: Within): Promise<Aligned> {
  const groups = planGroups(target, await readGroups(target, within))
  const stranger = groups.problems.find(({ cause }) => cause === 'misconfigured')
  // Nothing may be granted to a role that belongs to someone else.
  if (stranger !== undefined) throw targetError(stranger.cause, stranger.message)
  await apply(within, groups.changes)
  const ours = (await readGroups(target, within)).filter((group) => isOurs(target, group))
  const names = ours.map(({ name }) => name)
  const inUse = groupsInUse(target, ours).filter(({ administered }) => administered)
  const issuers = await planIssuers(
    target,
    within,
    inUse.map(({ name }) => name),
  )
  if (issuers.stranger !== undefined) throw targetError(issuers.stranger.cause, issuers.stranger.message)
  await apply(within, issuers.changes)
  const plan = () => planMemberships(target, within, names)
  const memberships = await plan()
  await apply(within, memberships.changes)
  return {
    changes: [...groups.changes, ...issuers.changes, ...memberships.changes].map(({ words }) => words),
    problems: [...groups.problems, ...issuers.problems, ...memberships.problems, ...stillThere((await plan()).changes)],
  }
}

type Stray = { readonly group: string; readonly kind: 'owned' | 'other' | 'elsewhere'; readonly what: string }

async function alignStrays(target: PostgresTarget, within: Within, groups: readonly string[]): Promise<Aligned> {
  const { databases, owner } = target.config
  const strays = (await within.read(straysSql(), [groups, databases])) as readonly Stray[]
  const owners = new Set(strays.filter(({ kind }) => kind === 'owned').map(({ group }) => group))
  for (const group of owners) {
    await within.write(claimText(within, group))
    await within.write(handOverSql({ group, owner }))
    await within.write(leaveSql({ group, member: target.config.user }))
  }
  return {
    changes: [...owners].map((group) => `hand what ${group} owns to ${owner}`),
    problems: strays
      .filter(({ kind }) => kind !== 'owned')
      .map(({ group, kind, what }): Problem => ({
        cause: 'refused',
        message: `${group} was given privileges ${kind === 'other' ? `on ${what}` : `in database ${what}`}, which Tidegate does not manage; revoke them on the target`,
      })),
  }
}

/** Taking a privilege on a table takes it on columns as well, also where it belongs: hence a second look. */
const looks = 3

async function alignHeld(
  target: PostgresTarget,
  within: Within,
  { database, groups }: { readonly database: string; readonly groups: readonly string[] },
): Promise<Aligned> {
  const wanted = wantedIn({ config: target.config, database, objects: await readObjects(target, within) }, target.roles)
  const known = new Set(groups)
  const words: string[] = []
  for (let look = 0; ; look++) {
    const held = ((await within.read(heldSql(), [groups])) as readonly Held[]).filter(
      // The access lists of databases can be read from every database, and are looked after from the one they belong to,
      // those of databases that are not configured from the first.
      ({ kind, name }) => kind !== 'database' || homeOf(target.config, name) === database,
    )
    const { revoke, grant } = difference(
      wanted.holdings.filter(({ group }) => known.has(group)),
      held,
    )
    const changes = changesFor({ revoke: revoke.filter(({ ours }) => ours), grant })
    const beyond = changesFor({ revoke: revoke.filter(({ ours }) => !ours), grant: [] })
    if (changes.length === 0 || look === looks) {
      return { changes: words, problems: [...wanted.problems, ...stillThere([...changes, ...beyond])] }
    }
    await apply(within, changes)
    words.push(...changes.map((change) => change.words))
  }
}

const homeOf = (config: PostgresConfig, database: string): string =>
  config.databases.includes(database) ? database : primaryDatabase(config)

async function readObjects({ config, roles }: PostgresTarget, { read }: Within): Promise<readonly TargetObject[]> {
  const schemas = new Set(
    roles.flatMap(({ privileges }) => privileges.flatMap((item) => ('memberOf' in item ? [] : [item.schema]))),
  )
  const databases = await read(databasesSql(), [config.databases])
  const objects = (await read(objectsSql(), [[...schemas]])) as readonly TargetObject[]
  return [
    ...databases.map(({ name, ours, public: open }): TargetObject => ({
      kind: 'database',
      schema: null,
      name: String(name),
      plain: null,
      arguments: null,
      ours: ours === true,
      public: open === true,
      columns: [],
    })),
    ...objects,
  ]
}

async function apply({ write }: Pick<Session, 'write'>, changes: readonly Change[]): Promise<void> {
  if (changes.length > 0) await write(changes.map(({ sql }) => sql).join('\n'))
}

const stillThere = (changes: readonly Change[]): readonly Problem[] =>
  changes.map(({ words }) => ({
    cause: 'refused',
    message: `the admin login could not ${words}, which someone else granted; do it on the target as a superuser`,
  }))

/** A role that cannot be dropped is a line in the report: its privileges are gone already. */
async function dropUnused(target: PostgresTarget, run: Attempt): Promise<Aligned> {
  const primary = primaryDatabase(target.config)
  const unused = unusedGroups(target, await run.on(primary, (session) => readGroups(target, session)))
  const changes: string[] = []
  for (const { name } of unused) {
    try {
      const left = await run.on(primary, (session) => leftOf(session, [name]))
      if (left.length > 0) {
        await run.on(primary, (session) => session.write(claimText(session, name)))
        await handOver(run, target.config, { role: name, left })
      }
      await run.on(primary, (session) => session.write(dropGroupSql({ group: name })))
      changes.push(`drop group role ${name}`)
    } catch (error) {
      if (!isAnswer(error)) throw error
      const { message } = failureOf(error, false)
      changes.push(`group role ${name} is not used any more and could not be dropped: ${message}`)
    }
  }
  return { changes, problems: [] }
}
