/** Getting in and being thrown out: through Tidegate, and by hand with the SQL that it takes. */

import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Socket } from 'node:net'
import type { Client, Output } from '@tidegate/api'
import pg from 'pg'
import type { Stand } from './stand.ts'

export type Login = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
}

export type Opened = {
  readonly request: string
  readonly grant: string
  /** On the clock of this machine, which is the server's and the target's too. */
  readonly expiresAt: number
  readonly login: Login
  readonly openMs: number
}

/** Asked for and opened in one call. */
export async function openThroughTidegate(client: Client, duration = '15m'): Promise<Opened> {
  const begun = performance.now()
  const { request, grant, credential } = await client.openAccess(wish(duration))
  const openMs = performance.now() - begun
  if (!grant || !credential) throw new Error(`It was not opened: the request is ${request.status}.`)
  return openedOf(request.id, { grant, credential, openMs })
}

/** Asked for, then opened, as whatever is not given at once has to be. */
export async function openInTwoCalls(client: Client): Promise<Opened> {
  const begun = performance.now()
  const request = await client.createRequest(wish('15m'))
  const { grant, credential } = await client.activateGrant({ id: request.grant ?? '' })
  return openedOf(request.id, { grant, credential, openMs: performance.now() - begun })
}

const wish = (duration: string) => ({ role: 'orders-db/readonly', duration, reason: 'Benchmark' })

function openedOf(
  request: string,
  { grant, credential, openMs }: Output<'activateGrant'> & { readonly openMs: number },
): Opened {
  const { host, port, databases, user, secret } = credential
  return {
    request,
    grant: grant.id,
    expiresAt: Date.parse(credential.expiresAt),
    login: { host, port, database: databases[0] ?? '', user, password: secret },
    openMs,
  }
}

/**
 * What has to be said to the target by whoever does this by hand, in one round trip on a connection that is there. The
 * password goes in clear and PostgreSQL makes the verifier, as it does by hand.
 */
export async function openByHand(admin: Pick<pg.Client, 'query'>, { target }: Pick<Stand, 'target'>): Promise<Login> {
  const user = `by_hand_${randomBytes(8).toString('hex')}`
  const password = randomBytes(32).toString('base64url')
  const until = new Date(Date.now() + 900_000).toISOString()
  await admin.query(`
    create role ${user} login connection limit 5 password '${password}' valid until '${until}';
    alter role ${user} set search_path to shop;
    comment on role ${user} is 'by hand';
    grant tidegate_readonly to ${user} with inherit true, set false;`)
  return { host: '127.0.0.1', port: target.port, database: 'orders', user, password }
}

/**
 * The least that closes: no new session, none left, no login, and a look at what is there. Each waits for the one
 * before, as it has to. As a superuser, who need not be given the login's privileges first.
 */
export async function closeByHand(superuser: Pick<pg.Client, 'query'>, user: string): Promise<void> {
  await superuser.query(`alter role ${user} nologin`)
  // Asked again until none is left. The target's own way of waiting looks every 100 ms, and would be slower.
  for (let left = true; left;) {
    const { rowCount } = await superuser.query(
      'select pg_terminate_backend(a.pid) from pg_stat_activity a where a.usename = $1',
      [user],
    )
    left = rowCount !== 0
  }
  await superuser.query(`drop role ${user}`)
  const { rows } = await superuser.query<{ gone: boolean }>(
    'select not exists (select from pg_roles where rolname = $1) as gone',
    [user],
  )
  if (rows[0]?.gone !== true) throw new Error(`${user} is still there.`)
}

export async function useLogin(login: Login): Promise<void> {
  const client = new pg.Client(login)
  await client.connect()
  await client.query('select 1')
  await client.end()
}

/** A moment, on both clocks: to compare with what others wrote down, and to measure. */
export type Moment = { readonly epochMs: number; readonly ms: number }

export const moment = (): Moment => ({ epochMs: Date.now(), ms: performance.now() })

export type Session = {
  /** When this end saw the last byte: the connection ended under it. */
  readonly cut: Promise<Moment>
  readonly drop: () => void
}

/** Connects, says `select 1`, and stays. */
export async function holdSession(login: Login): Promise<Session> {
  const client = new pg.Client(login)
  // It is going to be cut: that is no error here.
  client.on('error', () => undefined)
  await client.connect()
  await client.query('select 1')
  const { stream } = (client as pg.Client & { readonly connection: { readonly stream: Socket } }).connection
  const cut = new Promise<Moment>((resolve) => {
    for (const event of ['end', 'close'] as const) stream.once(event, () => resolve(moment()))
  })
  return { cut, drop: () => void stream.destroy() }
}

export type Ended = { readonly endAt: number; readonly endedAt: number }

export type EndWatch = {
  /** Resolves when the store says that the target was read back and nothing is left. */
  readonly ended: (grant: string) => Promise<Ended>
  readonly stop: () => Promise<void>
}

/** Looks in the store for all that wait at once, so that looking costs the server nothing and the store little. */
export function watchEnds(store: Pick<pg.Client, 'query'>, everyMs: number): EndWatch {
  const waiting = new Map<string, (ended: Ended) => void>()
  let stopped = false
  const look = async (): Promise<void> => {
    while (!stopped) {
      await new Promise((resolve) => setTimeout(resolve, everyMs))
      if (waiting.size === 0) continue
      const { rows } = await store.query<{ id: string; end_at: Date; ended_at: Date }>({
        name: 'bench-ended',
        text: `select id, end_at, ended_at from access_grant where id = any($1) and state = 'ended'`,
        values: [[...waiting.keys()]],
      })
      for (const { id, end_at, ended_at } of rows) {
        waiting.get(id)?.({ endAt: end_at.getTime(), endedAt: ended_at.getTime() })
        waiting.delete(id)
      }
    }
  }
  const looking = look()
  return {
    ended: (grant) => new Promise((resolve) => void waiting.set(grant, resolve)),
    async stop() {
      stopped = true
      await looking
    },
  }
}
