/**
 * A credential as programs take it. In the environment it can be read by its user and by root; in an argument list,
 * by everyone on the machine.
 */

import type { Environment } from '../context.ts'
import { Failure } from '../failure.ts'
import { listed } from '../output.ts'
import type { Credential } from './open.ts'

type Use = {
  readonly credential: Credential
  readonly database: string
  /** Where the certificate authority was written, where there is one. */
  readonly caFile: string | undefined
}

/** What the holder asked for, or the first; refused where the credential does not open it. */
export function chooseDatabase({ databases }: Credential, wanted: string | undefined): string {
  const chosen = wanted ?? databases[0] ?? 'postgres'
  if (wanted === undefined || databases.includes(wanted)) return chosen
  throw new Failure('usage', `The role gives no access to the database ${wanted}.`, {
    remedy: `It gives access to ${listed(databases, 'and')}.`,
  })
}

/** The caller's environment with the credential in it. */
export function childEnvironment(inherited: Environment, use: Use & { readonly grant: string }): NodeJS.ProcessEnv {
  const { credential, database, caFile, grant } = use
  return {
    ...Object.fromEntries(Object.entries(inherited).filter(([name]) => isInherited(name))),
    PGHOST: credential.host,
    PGPORT: String(credential.port),
    PGDATABASE: database,
    PGUSER: credential.user,
    PGPASSWORD: credential.secret,
    PGAPPNAME: 'tidegate',
    PGSSLMODE: credential.tls,
    ...(credential.tls === 'verify-full' && { PGSSLROOTCERT: caFile ?? systemAuthorities }),
    TIDEGATE_GRANT: grant,
  }
}

/** libpq's word for the system's own; versions before 16 find no file of that name and refuse to connect. */
const systemAuthorities = 'system'

/** How a session looks is the user's affair; every other variable of libpq could lead it elsewhere. */
const harmless = ['PGCLIENTENCODING', 'PGCONNECT_TIMEOUT', 'PGDATESTYLE', 'PGGEQO', 'PGOPTIONS', 'PGTZ']

/** A program that is given a grant is not given the token that could ask for others. */
const isInherited = (name: string): boolean =>
  name !== 'TIDEGATE_TOKEN' && (!name.startsWith('PG') || harmless.includes(name))

/** For tools that take a connection URI. It holds the secret. */
export function connectionUri({ credential, database, caFile }: Use): string {
  const { host, port, user, secret, tls } = credential
  const authority = `${encodeURIComponent(user)}:${encodeURIComponent(secret)}@${hostInUri(host)}:${port}`
  const query = new URLSearchParams({
    sslmode: tls,
    ...(tls === 'verify-full' && { sslrootcert: caFile ?? systemAuthorities }),
    application_name: 'tidegate',
  })
  // libpq does not read `+` as a space.
  return `postgresql://${authority}/${encodeURIComponent(database)}?${query.toString().replaceAll('+', '%20')}`
}

/**
 * The same through a port of this machine: libpq connects to `hostaddr`, and holds the certificate against the host.
 */
export function localUri(use: Use, { host, port }: { readonly host: string; readonly port: number }): string {
  const { credential } = use
  return credential.tls === 'disable'
    ? connectionUri({ ...use, credential: { ...credential, host, port } })
    : `${connectionUri({ ...use, credential: { ...credential, port } })}&hostaddr=${host}`
}

/** What a tool without `hostaddr` can hold to: it takes the host for this machine, and so cannot hold it to its name. */
export function localTls({ credential: { tls }, caFile }: Use): string {
  if (tls === 'disable') return 'disable'
  return caFile === undefined ? 'require' : `verify-ca, with the authority in ${caFile}`
}

/** An IPv6 address in brackets; a socket directory escaped. */
const hostInUri = (host: string): string => (host.includes(':') ? `[${host}]` : encodeURIComponent(host))
