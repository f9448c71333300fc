/** One connection to the target with the admin login: what the verbs need of node-postgres, and nothing else of it. */

import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import pg from 'pg'
import type { Target } from '../contract.ts'
import { limits } from '../limits.ts'
import type { PostgresConfig } from './config.ts'
import { hasState, states, targetError } from './failure.ts'
import type { Privileges } from './privileges.ts'

export type Row = Readonly<Record<string, unknown>>

export type TargetClient = {
  /** As in `server_version_num`: 180004 is 18.4. */
  readonly serverVersion: number
  /** Whether it can notice, while it works, that a client is gone: its operating system may not tell it. */
  readonly noticesLeaving: boolean
  /** Several statements in one text are one transaction; the rows are those of the last. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Whether the connection is still there, as far as this end knows. */
  alive(): boolean
  /** Says goodbye. */
  end(): Promise<void>
  /** Cuts the connection, whatever it is doing. */
  destroy(): void
}

/** Opens a connection to a database of the target; cut, as soon as the signal says so. */
export type OpenClient = (database: string, signal: AbortSignal) => Promise<TargetClient>

/** Below it, `pg_terminate_backend` does not wait and routines have no common name. Its support ended in November 2026. */
const oldestVersion = 140_000
const safePath = 'pg_catalog'

export const openClientOf =
  (target: Target<PostgresConfig, Privileges>): OpenClient =>
  async (database, signal) => {
    const client = new pg.Client(await clientConfig(target, database))
    // A connection lost while idle shows in `alive`; without a listener the process would end.
    let lost = false
    client.on('error', () => (lost = true))
    client.on('end', () => (lost = true))
    const destroy = (): void => streamOf(client).destroy()
    signal.throwIfAborted()
    signal.addEventListener('abort', destroy, { once: true })
    try {
      await client.connect()
      return await introduce({ client, destroy, alive: () => !lost })
    } catch (error) {
      destroy()
      throw error
    } finally {
      signal.removeEventListener('abort', destroy)
    }
  }

type Opened = { readonly client: pg.Client; readonly destroy: () => void; readonly alive: () => boolean }

async function introduce({ client, destroy, alive }: Opened): Promise<TargetClient> {
  const query: TargetClient['query'] = async (text, values) => {
    const answer: unknown = await client.query<Row>(text, values === undefined ? undefined : [...values])
    // The types of node-postgres do not say that several statements have several results.
    const results = (Array.isArray(answer) ? answer : [answer]) as readonly pg.QueryResult<Row>[]
    return results.at(-1)?.rows ?? []
  }
  const [row] = await query(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('search_path') AS path",
  )
  const serverVersion = Number(row?.['version'])
  if (!(serverVersion >= oldestVersion)) {
    throw targetError('misconfigured', 'the target runs a PostgreSQL older than 14; upgrade it')
  }
  // Whatever dropped this setting has dropped the timeouts with it, and may put others' sessions in between.
  if (row?.['path'] !== safePath) {
    throw targetError(
      'misconfigured',
      'what answers at connection.host does not keep the settings of a session, such as a connection pooler; give the address of the server itself',
    )
  }
  return { serverVersion, noticesLeaving: await noticesLeaving(query), query, alive, destroy, end: () => client.end() }
}

/** The same holds for our own sessions from here on. */
async function noticesLeaving(query: TargetClient['query']): Promise<boolean> {
  try {
    await query(`SET client_connection_check_interval = ${limits.noticeLeavingMs}`)
    return true
  } catch (error) {
    if (hasState(error, states.invalidValue)) return false
    throw error
  }
}

/** node-postgres keeps its socket there, and offers no other way to cut a connection that is in the middle of something. */
const streamOf = (client: pg.Client): { destroy(): void } =>
  (client as pg.Client & { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream

async function clientConfig(target: Target<PostgresConfig, Privileges>, database: string): Promise<pg.ClientConfig> {
  const { config, limits: own } = target
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    database,
    password: await readSecret(target, 'password'),
    ssl: config.tls === 'disable' ? false : await tlsOptions(target),
    application_name: 'tidegate',
    connectionTimeoutMillis: own.connectTimeoutMs,
    statement_timeout: own.operationTimeoutMs,
    lock_timeout: Math.min(limits.lockTimeoutMs, own.operationTimeoutMs),
    idle_in_transaction_session_timeout: own.operationTimeoutMs,
    keepAlive: true,
    // Nothing that someone put into a schema on the target runs with the admin's privileges (CVE-2018-1058).
    options: `-c search_path=${safePath} -c client_min_messages=warning`,
  }
}

async function tlsOptions(target: Target<PostgresConfig, Privileges>): Promise<ConnectionOptions> {
  const ca = await readAuthority(target)
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    // Against the configured host whatever the socket was told, an address included.
    checkServerIdentity: (_, certificate) => checkServerIdentity(target.config.host, certificate),
    ...(ca !== undefined && { ca }),
  }
}

/** The PEM that `ca` refers to; `undefined`: none is configured. */
export const readAuthority = async (target: Target<PostgresConfig, Privileges>): Promise<string | undefined> =>
  target.config.ca === undefined ? undefined : readSecret(target, 'ca')

async function readSecret(
  { config, secret }: Target<PostgresConfig, Privileges>,
  field: 'password' | 'ca',
): Promise<string> {
  const reference = config[field]
  if (reference === undefined) throw targetError('misconfigured', `connection.${field} is missing`)
  try {
    const value = await secret(reference)
    if (value !== '') return value
  } catch {
    // The reason may hold the value or the reference. The field is what people need.
  }
  throw targetError(
    'misconfigured',
    `the reference in connection.${field} could not be read, or is empty; see that it names an existing secret`,
  )
}
