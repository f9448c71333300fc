/** From a request to a login that works, beside the bare SQL statements that make one. */

import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Bench, Row, Stand } from './harness.ts'
import { against, interleave, rowOf, setUp } from './harness.ts'

type Login = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
}

export const open: Bench = {
  name: 'open',
  about: 'auto-approved request to usable login',
  async run({ rounds, note }) {
    const stand = await setUp()
    try {
      note('warming up')
      for (let i = 0; i < 20; i++) {
        await useLogin(await throughTidegate(stand))
        await useLogin(await byHand(stand))
      }
      note(`${rounds} rounds, sides in turn`)
      const samples = await interleave(
        {
          tidegate: async () => useLogin(await throughTidegate(stand)),
          bare: async () => useLogin(await byHand(stand)),
        },
        rounds,
      )
      const bare = rowOf('bare SQL: make the login, connect, select 1', samples['bare'] ?? [])
      const tidegate = rowOf('Tidegate: request, decide, open, connect, select 1', samples['tidegate'] ?? [])
      return [bare, against(tidegate, bare)] satisfies readonly Row[]
    } finally {
      await stand.close()
    }
  },
}

async function throughTidegate({ alice }: Stand): Promise<Login> {
  const request = await alice.createRequest({ role: 'orders-db/readonly', duration: '15m', reason: 'Benchmark' })
  const { credential } = await alice.activateGrant({ id: request.grant ?? '' })
  const { host, port, databases, user, secret } = credential
  return { host, port, database: databases[0] ?? '', user, password: secret }
}

/**
 * What has to be said to the target by whoever does this by hand, in one round trip on a connection that is there. The
 * password goes in clear and PostgreSQL makes the verifier, as it does by hand.
 */
async function byHand({ target, targetAdmin }: Stand): Promise<Login> {
  const user = `by_hand_${randomBytes(8).toString('hex')}`
  const password = randomBytes(32).toString('base64url')
  const until = new Date(Date.now() + 900_000).toISOString()
  await targetAdmin.query(`
    create role ${user} login connection limit 5 password '${password}' valid until '${until}';
    alter role ${user} set search_path to shop;
    comment on role ${user} is 'by hand';
    grant tidegate_readonly to ${user} with inherit true, set false;`)
  return { host: '127.0.0.1', port: target.port, database: 'orders', user, password }
}

async function useLogin(login: Login): Promise<void> {
  const client = new pg.Client(login)
  await client.connect()
  await client.query('select 1')
  await client.end()
}
