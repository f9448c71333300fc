/** What went wrong on a target, as the contract's `Failure`: one row for each kind of error, the first that fits. */

import pg from 'pg'
import type { Failure } from '../contract.ts'

type Cause = Failure['cause']

/** An error whose words are ours and fit for people. */
type TargetError = Error & { readonly failureCause: Cause }

export const targetError = (cause: Cause, message: string): TargetError =>
  Object.assign(new Error(message), { failureCause: cause })

const isTargetError = (error: unknown): error is TargetError => error instanceof Error && 'failureCause' in error

/** As PostgreSQL itself answered, with a SQLSTATE. */
export const isServerError = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.code !== undefined

export const hasState = (error: unknown, state: string): error is pg.DatabaseError =>
  isServerError(error) && error.code === state

/** What was to be made is there already. */
export const isDuplicate = (error: unknown): boolean =>
  hasState(error, states.duplicateObject) || hasState(error, states.uniqueViolation)

/** Another transaction changes the same thing, or has just done so. PostgreSQL has no state of its own for the latter. */
export const isHeldUp = (error: unknown): boolean =>
  hasState(error, '55P03') || (hasState(error, 'XX000') && error.message.includes('concurrently'))

export const states = {
  duplicateObject: '42710',
  /** Instead of `duplicateObject`, where the other was made by a transaction that ended only meanwhile. */
  uniqueViolation: '23505',
  undefinedObject: '42704',
  invalidValue: '22023',
} as const

/** PostgreSQL says `ERROR` after it has rolled back. After `FATAL` or a lost connection, nobody knows. */
export const rolledBack = (error: unknown): boolean => isServerError(error) && error.severity === 'ERROR'

/** The target, or what we found there, said no: the connection is well, and nothing is left open. */
export const isAnswer = (error: unknown): boolean => rolledBack(error) || isTargetError(error)

type Explanation = { readonly cause: Cause; readonly say: (error: pg.DatabaseError) => string }

const said = ({ message, detail }: pg.DatabaseError): string => [message, detail].filter(Boolean).join('; ')

const remedyForRights =
  'the admin login needs CREATEROLE, membership in connection.owner, and, for roles made by another admin login, the ADMIN option on them'

const byState: Readonly<Record<string, Explanation>> = {
  // A server says this of a client that breaks the protocol, and PgBouncer of whatever it does not like.
  '08P01': {
    cause: 'unreachable',
    say: (error) => `what answers at connection.host said: ${said(error)}; give the address of the server itself`,
  },
  '28P01': { cause: 'refused', say: () => 'the target refused the admin password; correct connection.password' },
  '28000': {
    cause: 'refused',
    say: () => 'the target does not let the admin login in; see connection.user, its LOGIN attribute and pg_hba.conf',
  },
  '3D000': { cause: 'misconfigured', say: () => 'the target has no such database; correct connection.databases' },
  '42501': { cause: 'refused', say: (error) => `the target refused: ${said(error)}; ${remedyForRights}` },
  '42704': {
    cause: 'misconfigured',
    say: (error) => `${said(error)}; run tidegate apply, which makes the group roles`,
  },
  // Of what is sent to a target only SET ROLE, with a role that is not there, is answered with this.
  '22023': {
    cause: 'misconfigured',
    say: (error) => `${said(error)}; run tidegate apply, which makes the issuers`,
  },
  '2BP01': { cause: 'refused', say: (error) => `the target refused: ${said(error)}` },
  '25006': { cause: 'refused', say: () => 'the target is read-only, as a standby is; connect to the primary' },
  '53300': {
    cause: 'unreachable',
    say: () => 'the target has no free connection; raise max_connections, or free some',
  },
  '57014': { cause: 'timeout', say: () => 'the target took too long and the statement was cancelled' },
  '55P03': { cause: 'timeout', say: () => 'something on the target holds a lock that is needed; see pg_locks there' },
}

/** Classes of SQLSTATE, by their first two characters. */
const byClass: Readonly<Record<string, Explanation>> = {
  '08': { cause: 'unreachable', say: () => 'the connection to the target was lost' },
  '57': { cause: 'unreachable', say: () => 'the target is starting, stopping, or ended the connection' },
}

const unreachableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** What node-postgres says in words only. */
const byText: readonly { readonly text: RegExp; readonly cause: Cause; readonly message: string }[] = [
  { text: /^timeout expired/, cause: 'unreachable', message: 'the target did not answer in time' },
  {
    text: /does not support SSL/,
    cause: 'refused',
    message:
      "the target does not speak TLS; turn ssl on there, or, where no network is crossed, set connection.tls to 'disable'",
  },
  {
    text: /^Connection terminated|not queryable|stream.*(destroyed|after)/i,
    cause: 'unreachable',
    message: 'the connection to the target was lost',
  },
]

/** @param notDone whether it is certain that nothing was changed */
export function failureOf(error: unknown, notDone: boolean): Failure {
  return { outcome: 'failed', notDone, ...explain(error) }
}

function explain(error: unknown): Pick<Failure, 'cause' | 'message'> {
  if (isTargetError(error)) return { cause: error.failureCause, message: withoutVerifiers(error.message) }
  if (isServerError(error)) return explainState(error)
  if (!(error instanceof Error)) return unknownFault('')
  if (error.name === 'TimeoutError')
    return { cause: 'timeout', message: 'the target took longer than the operation may' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (unreachableCodes.has(code)) {
    return {
      cause: 'unreachable',
      message: `the target cannot be reached (${code}); see connection.host and connection.port`,
    }
  }
  if (tlsCode.test(code)) return { cause: 'refused', message: tlsMessage(code) }
  const known = byText.find(({ text }) => text.test(error.message))
  return known === undefined ? unknownFault(code) : { cause: known.cause, message: known.message }
}

const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/

const tlsMessage = (code: string): string =>
  code === 'ERR_TLS_CERT_ALTNAME_INVALID'
    ? 'the certificate of the target is for another name; write that name into connection.host, or give the target a certificate for this one'
    : `the certificate of the target does not verify (${code}); see connection.ca`

function explainState(error: pg.DatabaseError): Pick<Failure, 'cause' | 'message'> {
  const state = error.code ?? ''
  const row = byState[state] ?? byClass[state.slice(0, 2)]
  if (row === undefined)
    return { cause: 'fault', message: withoutVerifiers(`the target answered ${state}: ${error.message}`) }
  return { cause: row.cause, message: withoutVerifiers(row.say(error)) }
}

const unknownFault = (code: string): Pick<Failure, 'cause' | 'message'> => ({
  cause: 'fault',
  message: `something unforeseen went wrong between Tidegate and the target${code === '' ? '' : ` (${code})`}`,
})

/** PostgreSQL may quote a piece of a statement in an error. The only secret a statement holds is a verifier. */
const withoutVerifiers = (text: string): string => text.replaceAll(/SCRAM-SHA-256\$[^\s'"]*/g, '(verifier)')
