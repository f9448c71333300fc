/** The verb `open`. */

import { formatInstant } from '@tidegate/core'
import type { Credential, Lease, OpenOutcome, Target } from '../contract.ts'
import { type Attempt, attempt, type Session } from './attempt.ts'
import { readAuthority } from './client.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { failureOf, isDuplicate, targetError } from './failure.ts'
import { asIssuer } from './issuers.ts'
import { membershipOptions } from './membership.ts'
import { groupName, loginName, marks } from './names.ts'
import type { Pool } from './pool.ts'
import { databasesOf, type Privileges, roleProblems } from './privileges.ts'
import { createPasswords, type Passwords } from './scram.ts'
import { type Fragment, identifierList, integer, sqlFile, type Variables } from './sql-file.ts'

const openSql = sqlFile('open.sql')
const reopenSql = sqlFile('reopen.sql')
const leaveSql = sqlFile('leave.sql')
const loginSql = sqlFile('login.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>

export function createOpen(target: PostgresTarget, pool: Pool): (lease: Lease) => Promise<OpenOutcome> {
  const passwords = createPasswords(target.random)
  return async (lease) => {
    try {
      return await open({ target, pool, passwords }, lease)
    } finally {
      passwords.prepare()
    }
  }
}

type Opening = { readonly target: PostgresTarget; readonly pool: Pool; readonly passwords: Passwords }

async function open({ target, pool, passwords }: Opening, lease: Lease): Promise<OpenOutcome> {
  const { config, roles, limits } = target
  const role = roles.find(({ name }) => name === lease.role)
  const problems = role === undefined ? [`the resource has no role ${lease.role}`] : roleProblems(config, [role])
  if (role === undefined || problems.length > 0)
    return failureOf(targetError('misconfigured', problems.join('; ')), true)
  return attempt({ pool, timeoutMs: limits.operationTimeoutMs }, async (run): Promise<OpenOutcome> => {
    // Before anything is sent: a credential without its authority would be of no use.
    const ca = await readAuthority(target)
    const { password, verifier } = await passwords.take()
    await makeLogin(run, target, { lease, variables: loginVariables(target, lease, verifier) })
    const credential: Credential = {
      kind: 'postgres-login',
      host: config.host,
      port: config.port,
      databases: databasesOf(config, role.privileges),
      user: loginName(config, lease.grant),
      secret: password,
      tls: config.tls,
      ...(ca !== undefined && { ca }),
      expiresAt: lease.expiresAt,
    }
    return { outcome: 'opened', credential }
  })
}

type LoginVariables = Variables & { readonly login: string; readonly group: string }

const loginVariables = ({ config, resource }: PostgresTarget, lease: Lease, verifier: string): LoginVariables => ({
  login: loginName(config, lease.grant),
  group: groupName(config, lease.role),
  verifier,
  expires_at: formatInstant(lease.expiresAt),
  connections: integer(config.connectionLimit),
  search_path: identifierList(config.searchPath),
  mark: marks.login(resource, lease.grant),
})

type Making = { readonly lease: Lease; readonly variables: LoginVariables }

const makeLogin = (run: Attempt, { config }: PostgresTarget, { lease, variables }: Making): Promise<void> =>
  run.on(primaryDatabase(config), async (session) => {
    const issuer = asIssuer(session, config, lease.grant)
    const complete = { ...variables, membership: membershipOptions(session) }
    try {
      await session.write(issuer + openSql(complete))
    } catch (error) {
      if (!isDuplicate(error)) throw error
      await replaceSecret(session, issuer, complete)
    }
  })

/** Reads the login first: attributes that someone gave it are a reason to stop, memberships are put right. */
const replaceSecret = (
  session: Session,
  issuer: string,
  variables: LoginVariables & { readonly membership: Fragment },
): Promise<void> =>
  session.transaction(async ({ read, write }) => {
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
    await write(issuer + [...leave, reopenSql(variables)].join('\n'))
    const [after] = await read(loginSql(), [login])
    const left = ((after?.['groups'] ?? []) as readonly string[]).filter((other) => other !== group)
    if (left.length > 0) {
      throw targetError(
        'refused',
        `the login ${login} is also a member of ${left.join(', ')}, by someone else's hand; revoke that on the target`,
      )
    }
  })
