/** Asking, opening and using access, as a holder does it. */

import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { Client, Output } from '@tidegate/api'
import type { Target } from './target.ts'

export type Grant = Output<'getGrant'>
export type Credential = Output<'activateGrant'>['credential']

type Wish = { readonly role?: string; readonly duration?: string; readonly ticket?: string }

/** The id of the grant of a request that policy approves at once. */
export async function permitted(client: Client, wish: Wish = {}): Promise<string> {
  const request = await client.createRequest({
    role: 'orders-db/readonly',
    duration: '30m',
    reason: 'Looking into order 7',
    ...wish,
  })
  if (request.grant === undefined) throw new Error(`The request is ${request.status}.`)
  return request.grant
}

/** Asks, and opens what policy gives at once. */
export async function opened(client: Client, wish: Wish = {}): Promise<{ grant: Grant; credential: Credential }> {
  return client.activateGrant({ id: await permitted(client, wish) })
}

/** Asks for a role of Tidegate itself, and begins to use what policy gives at once. */
export const assumed = async (client: Client, wish: Wish): Promise<Grant> =>
  client.assumeGrant({ id: await permitted(client, wish) })

export type Session = {
  readonly query: (text: string) => Promise<pg.QueryResult<Record<string, unknown>>>
  /** Resolves when the target cuts it. */
  readonly cut: Promise<void>
  readonly isCut: () => boolean
  /** By itself, as a client that is done. */
  readonly leave: () => void
}

/** @throws what the target says to whoever logs in */
export async function logIn(credential: Credential): Promise<Session> {
  const client = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.databases[0],
    user: credential.user,
    password: credential.secret,
  })
  let over = false
  client.on('error', () => undefined)
  const cut = new Promise<void>((resolve) => {
    client.once('end', () => {
      over = true
      resolve()
    })
  })
  await client.connect()
  onTestFinished(() => client.end())
  return { query: (text) => client.query(text), cut, isCut: () => over, leave: () => void client.end() }
}

/** What came of a call: `done`, or the code of the refusal. Never rejects, so that it can be looked at later. */
export const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { code?: string; message?: string }) => error.code ?? error.message ?? 'failed',
  )

/** As the target's superuser, past Tidegate. */
export async function onTarget(
  { superuserUrl }: Pick<Target, 'superuserUrl'>,
  text: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(superuserUrl)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text, [...values])).rows
  } finally {
    await client.end()
  }
}

/** The logins of grants on the target: only those of this test's database have its prefix. */
export async function loginsOn(target: Target): Promise<string[]> {
  const rows = await onTarget(
    target,
    `select rolname from pg_roles where rolcanlogin and starts_with(rolname, $1) order by rolname`,
    [prefixOf(target)],
  )
  return rows.map(({ rolname }) => String(rolname))
}

/** As in `resourceYaml`. */
export const prefixOf = ({ database }: Pick<Target, 'database'>): string => `tg_${database.slice(-10)}_`

/** How libpq is told where to go. */
export const libpqOf = ({ host, port, databases, user, secret }: Credential): Record<string, string> => ({
  PGHOST: host,
  PGPORT: String(port),
  PGUSER: user,
  PGPASSWORD: secret,
  PGDATABASE: databases[0] ?? '',
})
