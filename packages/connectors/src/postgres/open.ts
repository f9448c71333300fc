/** The verb `open`. */

import { formatInstant } from '@tidegate/core'
import type { Credential, Lease, OpenOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Session } from './attempt.ts'
import { readAuthority } from './client.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { failureOf, isAnswer, isDuplicate, targetError } from './failure.ts'
import { gather } from './gather.ts'
import { asIssuerOf, createIssuing } from './issuers.ts'
import { membershipOptions } from './membership.ts'
import { groupName, loginName, marks } from './names.ts'
import type { Pool } from './pool.ts'
import { databasesOf, type Privileges, roleProblems } from './privileges.ts'
import { createPasswords, type Passwords } from './scram.ts'
import { type Fragment, identifierList, integer, sqlFile } from './sql-file.ts'

const makeSql = sqlFile('open-1-make.sql')
const markSql = sqlFile('open-2-mark.sql')
const joinSql = sqlFile('open-3-join.sql')
const reopenSql = sqlFile('reopen.sql')
const leaveSql = sqlFile('leave.sql')
const loginSql = sqlFile('login.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>

/** What is asked for while others are being opened is opened together, in one transaction. */
export function createOpen(target: PostgresTarget, pool: Pool): (lease: Lease) => Promise<OpenOutcome> {
  const opening = { target, pool, passwords: createPasswords(target.random), issuing: createIssuing(target) }
  return gather({
    async together(leases: readonly Lease[]) {
      try {
        return await openTogether(opening, leases)
      } finally {
        opening.passwords.prepare()
      }
    },
    patienceMs: limits.gatherAtMostMs,
    most: limits.openedTogether,
  })
}

type Opening = {
  readonly target: PostgresTarget
  readonly pool: Pool
  readonly passwords: Passwords
  readonly issuing: ReturnType<typeof createIssuing>
}
type Outcomes = ReadonlyMap<Lease, OpenOutcome>

/** If the target objects to any, each is opened by itself. */
async function openTogether(opening: Opening, leases: readonly Lease[]): Promise<Outcomes> {
  const { target, pool } = opening
  const { operationTimeoutMs } = target.limits
  const began = performance.now()
  const wrong = new Map(leases.flatMap((lease) => refusalOf(target, lease)))
  const right = leases.filter((lease) => !wrong.has(lease))
  if (right.length === 0) return wrong
  const opened = await attempt({ pool, timeoutMs: operationTimeoutMs }, async (run): Promise<Outcomes> => {
    // Before anything is sent: a credential without its authority would be of no use.
    const ca = await readAuthority(target)
    const made = await Promise.all(right.map((lease) => prepare(opening, lease, ca)))
    try {
      await run.on(primaryDatabase(target.config), (session) => session.write(makeText(session, opening, made)))
    } catch (error) {
      if (isAnswer(error)) return new Map()
      throw error
    }
    return new Map(made.map((one) => [one.lease, { outcome: 'opened', credential: one.credential }]))
  })
  if ('outcome' in opened) return new Map([...wrong, ...right.map((lease) => [lease, opened] as const)])
  const timeoutMs = Math.max(1, Math.round(operationTimeoutMs - (performance.now() - began)))
  const alone = right
    .filter((lease) => !opened.has(lease))
    .map(async (lease) => [lease, await openOne(opening, { lease, timeoutMs })] as const)
  return new Map([...wrong, ...opened, ...(await Promise.all(alone))])
}

/** What cannot be opened as it is configured. */
function refusalOf({ config, roles }: PostgresTarget, lease: Lease): [Lease, OpenOutcome][] {
  const role = roles.find(({ name }) => name === lease.role)
  const problems = role === undefined ? [`the resource has no role ${lease.role}`] : roleProblems(config, [role])
  return problems.length === 0 ? [] : [[lease, failureOf(targetError('misconfigured', problems.join('; ')), true)]]
}

type Prepared = { readonly lease: Lease; readonly variables: LoginVariables; readonly credential: Credential }

async function prepare({ target, passwords }: Opening, lease: Lease, ca: string | undefined): Promise<Prepared> {
  const { config, roles } = target
  const { password, verifier } = await passwords.take()
  const credential: Credential = {
    kind: 'postgres-login',
    host: config.host,
    port: config.port,
    databases: databasesOf(config, roles.find(({ name }) => name === lease.role)?.privileges ?? []),
    user: loginName(config, lease.grant),
    secret: password,
    tls: config.tls,
    ...(ca !== undefined && { ca }),
    expiresAt: lease.expiresAt,
  }
  return { lease, variables: loginVariables(target, lease, verifier), credential }
}

/** Each change of a membership makes the next look at memberships dear: hence step by step, and not login by login. */
function makeText(session: Session, { issuing }: Opening, made: readonly Prepared[]): string {
  const membership = membershipOptions(session)
  const notice_leaving = noticing(session)
  const all = made.map(({ variables }) => variables)
  const steps = [
    ...all.map(({ login, verifier, expires_at, connections }) => makeSql({ login, verifier, expires_at, connections })),
    ...all.map(({ login, search_path, mark }) => markSql({ login, search_path, mark, notice_leaving })),
    ...all.map(({ login, group }) => joinSql({ login, group, membership })),
  ]
  return issuing(session, made.length) + steps.join('\n')
}

/** A login of ours leaves nothing running: neither by a client that vanishes, nor by a gateway that is killed. */
const noticing = ({ noticesLeaving }: Session): Fragment => integer(noticesLeaving ? limits.noticeLeavingMs : 0)

type Alone = { readonly lease: Lease; readonly timeoutMs: number }

const openOne = (opening: Opening, { lease, timeoutMs }: Alone): Promise<OpenOutcome> =>
  attempt({ pool: opening.pool, timeoutMs }, async (run): Promise<OpenOutcome> => {
    const { target } = opening
    const made = await prepare(opening, lease, await readAuthority(target))
    await run.on(primaryDatabase(target.config), async (session) => {
      try {
        await session.write(makeText(session, opening, [made]))
      } catch (error) {
        if (!isDuplicate(error)) throw error
        await replaceSecret(session, target.config, made.variables)
      }
    })
    return { outcome: 'opened', credential: made.credential }
  })

type LoginVariables = {
  readonly login: string
  readonly group: string
  readonly verifier: string
  readonly expires_at: string
  readonly connections: Fragment
  readonly search_path: Fragment
  readonly mark: string
}

const loginVariables = ({ config, resource }: PostgresTarget, lease: Lease, verifier: string): LoginVariables => ({
  login: loginName(config, lease.grant),
  group: groupName(config, lease.role),
  verifier,
  expires_at: formatInstant(lease.expiresAt),
  connections: integer(config.connectionLimit),
  search_path: identifierList(config.searchPath),
  mark: marks.login(resource, lease.grant),
})

/** Reads the login first: attributes that someone gave it are a reason to stop, memberships are put right. */
async function replaceSecret(session: Session, config: PostgresConfig, variables: LoginVariables): Promise<void> {
  const issuer = await asIssuerOf(session, config, variables.login)
  await session.transaction(async ({ read, write }) => {
    const { login, group } = variables
    const [found] = await read(loginSql(), [login])
    if (found === undefined)
      throw targetError('fault', `the login ${login} was dropped while it was being opened; open it again`)
    const attributes = found['attributes'] as readonly string[]
    if (attributes.length > 0) {
      throw targetError(
        'refused',
        `someone gave the login ${login} ${attributes.join(', ')} on the target; end this grant`,
      )
    }
    const others = (found['groups'] as readonly string[]).filter((other) => other !== group)
    const leave = others.map((other) => leaveSql({ group: other, member: login }))
    const options = { membership: membershipOptions(session), notice_leaving: noticing(session) }
    await write(issuer + [...leave, reopenSql({ ...variables, ...options })].join('\n'))
    const [after] = await read(loginSql(), [login])
    const left = ((after?.['groups'] ?? []) as readonly string[]).filter((other) => other !== group)
    if (left.length > 0) {
      throw targetError(
        'refused',
        `the login ${login} is also a member of ${left.join(', ')}, by someone else's hand; revoke that on the target`,
      )
    }
  })
}
