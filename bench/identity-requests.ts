/** Requests of whoever is known, beside one that asks nobody who they are, and beside what the store has to do for it. */

import { randomBytes } from 'node:crypto'
import { after, hours, minutes } from '@tidegate/core'
import { createLogger } from '@tidegate/server'
import type { CryptoKey, JWK } from 'jose'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { sql } from 'kysely'
import { grantedRoles } from '../packages/server/src/administration/held.ts'
import { beginLogin } from '../packages/server/src/identity/logins/logins.ts'
import { issueAccessToken } from '../packages/server/src/identity/oauth/access-tokens.ts'
import { spendToken } from '../packages/server/src/identity/spent-tokens.ts'
import { hashToken } from '../packages/server/src/identity/tokens.ts'
import { systemRuntime } from '../packages/server/src/runtime.ts'
import { change } from '../packages/server/src/store/change.ts'
import type { Database } from '../packages/server/src/store/database.ts'
import { createDatabase, createPool } from '../packages/server/src/store/database.ts'
import type { BenchOptions, Row } from './harness.ts'
import { against, figureOf, rowOf, timed, turned } from './harness.ts'
import type { IdentityStand } from './identity-stand.ts'

/** What each way adds to a request that asks nobody. */
const wantedMs = 1

const me = '/v1/me'

const ofStore = ['spend', 'bareSpend', 'held'] as const

/** @property ready what the client does before, which is not measured */
type Side = { readonly what: string; readonly ready?: () => Promise<void>; readonly call: () => Promise<unknown> }
type Sides = Readonly<Record<string, Side>>

export async function calling(stand: IdentityStand, options: BenchOptions): Promise<readonly Row[]> {
  const rounds = options.rounds ?? (options.quick ? 50 : 2_000)
  const log = createLogger('silent')
  const connections = { url: stand.store.secretUrl, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, log }
  const db = createDatabase(createPool({ ...connections, maxConnections: 2 }))
  try {
    const sides = { ...(await requests(stand, db)), ...statements(db) }
    options.note('warming up')
    await inTurn(sides, Math.ceil(rounds / 10))
    options.note(`${rounds} requests in each way, one after the other, ways in turn`)
    return rowsOf(sides, await inTurn(sides, rounds))
  } finally {
    await db.destroy()
  }
}

async function inTurn(sides: Sides, rounds: number): Promise<Readonly<Record<string, readonly number[]>>> {
  const samples = Object.fromEntries(Object.keys(sides).map((name): [string, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, { ready, call }] of turned(Object.entries(sides), round)) {
      await ready?.()
      samples[name]?.push((await timed(call)).ms)
    }
  }
  return samples
}

function rowsOf(sides: Sides, samples: Readonly<Record<string, readonly number[]>>): Row[] {
  const row = (name: string): Row => rowOf(sides[name]?.what ?? name, samples[name] ?? [])
  const [nobody, trip] = [row('nobody'), row('trip')]
  const names = Object.keys(sides).filter((name) => name !== 'nobody' && name !== 'trip')
  const p50 = ({ figures }: Row): number => figures['p50'] ?? Number.NaN
  const callers = names.filter((name) => !ofStore.some((one) => one === name)).map(row)
  return [
    nobody,
    ...callers.flatMap((one) => [
      against(one, nobody),
      figureOf(`${one.what}: more than without, p50`, p50(one) - p50(nobody), 'ms', { atMost: wantedMs }),
    ]),
    trip,
    ...ofStore.map((name) => against(row(name), trip)),
  ]
}

async function requests(stand: IdentityStand, db: Database): Promise<Record<string, Side>> {
  const { call, aliceToken } = stand
  const cookie = await stand.signIn(0)
  const [platformToken = ''] = await stand.platformTokens(1)
  const machine = await stand.exchange(platformToken)
  const bySecret = await stand.signInService()
  const commandLine = await commandLineOf(stand, db)
  const as = (headers: Readonly<Record<string, string>>) => () => call({ path: me, headers })
  return {
    nobody: { what: 'a request that asks nobody', call: () => call({ path: '/healthz' }) },
    token: { what: 'by a configured token', call: as({ authorization: `Bearer ${aliceToken}` }) },
    cookie: { what: 'by a cookie', call: as({ cookie, 'x-tidegate-request': '1' }) },
    commandLine,
    machine: { what: 'by a federated service’s token', call: as({ authorization: `Bearer ${machine}` }) },
    secret: { what: 'by the token of a service with a secret', call: as({ authorization: `Bearer ${bySecret}` }) },
  }
}

async function commandLineOf(stand: IdentityStand, db: Database): Promise<Side> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const accessToken = await letIn(db, await calculateJwkThumbprint(jwk))
  let dpop = ''
  return {
    what: 'by a command line’s token and a proof of its key',
    ready: async () => void (dpop = await proofOf(stand, { privateKey, jwk, accessToken })),
    call: () => stand.call({ path: me, headers: { authorization: `DPoP ${accessToken}`, dpop } }),
  }
}

/** As a person does in a browser, which is measured elsewhere. @returns an access token */
async function letIn(db: Database, thumbprint: string): Promise<string> {
  const user = 'engineer-0'
  return change({ db, runtime: systemRuntime }, async (unit) => {
    const authentication = { method: 'oidc', mfa: false, phishingResistant: false, at: unit.now } as const
    const lasts = hours(12)
    const who = { user, provider: 'idp', subject: user, authentication, client: { address: '127.0.0.1' }, lasts }
    const { id: allowedBy } = await beginLogin(unit, { ...who, kind: 'browser' })
    const { id } = await beginLogin(unit, { ...who, kind: 'command-line', key: { thumbprint, allowedBy } })
    return (await issueAccessToken(unit, { user, login: id, keyThumbprint: thumbprint })).access_token
  })
}

type Proving = { readonly privateKey: CryptoKey; readonly jwk: JWK; readonly accessToken: string }

const proofOf = ({ server }: IdentityStand, { privateKey, jwk, accessToken }: Proving): Promise<string> =>
  new SignJWT({
    jti: crypto.randomUUID(),
    htm: 'GET',
    htu: `${server.url}${me}`,
    ath: hashToken(accessToken).toString('base64url'),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .setIssuedAt()
    .sign(privateKey)

/** Of what is done for each of them, what asks the store, by the server’s own code. */
function statements(db: Database): Record<(typeof ofStore)[number] | 'trip', Side> {
  const now = systemRuntime.now
  const person = { kind: 'user', id: 'engineer-0' } as const
  return {
    trip: { what: 'a statement that does nothing', call: () => sql`select ${1}::int`.execute(db) },
    spend: {
      what: 'remembering that a proof was used',
      call: () => spendToken(db, { name: ['bench', crypto.randomUUID()], until: after(now(), minutes(3)) }),
    },
    bareSpend: {
      what: 'a bare insert of the same row',
      call: () => sql`insert into spent_token (hash, ends_at) values (${randomBytes(32)}, ${new Date()})`.execute(db),
    },
    held: {
      what: 'reading which roles of Tidegate someone has now',
      call: () => grantedRoles(db, { ref: person, now: now() }),
    },
  }
}
