/** Several masks on one session, on a real PostgreSQL: what any of them hides is hidden. */

import { expect, test } from 'vitest'
import { moving, reading } from './testing/attacks.ts'
import { shows, tried } from './testing/seen.ts'
import { connected, rulesOf, secrets, startShopUnder } from './testing/shop.ts'

const on = ['customers', 'history']
const email = (by: string) => rulesOf({ columns: [{ names: ['email'], tables: on, by }] })
const score = rulesOf({ columns: [{ names: ['score'], tables: on, by: 'full' }] })
const cards = rulesOf({ detect: [{ kinds: ['card'], by: 'full' }] })

test.each([
  ['partial and full', [email('partial'), email('full')], '***'],
  ['full and partial', [email('full'), email('partial')], '***'],
  ['hash and full', [email('hash'), email('full')], '***'],
  ['null and hash', [email('null'), email('hash')], null],
  ['partial and a detector', [email('partial'), rulesOf({ detect: [{ kinds: ['email'], by: 'full' }] })], '***'],
  ['a detector and partial', [rulesOf({ detect: [{ kinds: ['email'], by: 'null' }] }), email('partial')], null],
] as const)('a column is shown as the stricter has it: %s', async (_words, rules, expected) => {
  const client = await connected(await startShopUnder(rules))
  const { rows } = await client.query('select id, email from customers order by id')
  expect(rows.map((row: { email: unknown }) => row.email)).toEqual([expected, expected])
})

test('each hides its own, in rows, of a prepared statement and in what is said of an error', async () => {
  const client = await connected(await startShopUnder([email('partial'), score, cards]))
  const { rows } = await client.query('select name, email, score from customers order by id')
  expect(rows[0]).toEqual({ name: 'Alice', email: 'a***********@corp.example', score: null })
  const prepared = {
    name: 'p',
    text: `select $1::text as card, score from customers where id = 1`,
    values: ['4111111111111111'],
  }
  for (let run = 0; run < 2; run++) expect((await client.query(prepared)).rows).toEqual([{ card: '***', score: null }])
  for (const text of ['select email::int from customers', `select ('x' || score)::int from customers`]) {
    const said = await tried(client, [text])
    expect(said).toContain('withheld')
    expect(shows(said)).toBe(false)
  }
})

test('no way to a value leads past the one mask because there is another', async () => {
  const client = await connected(await startShopUnder([cards, email('full'), score]))
  for (const text of reading.filter((one) => !one.includes(';')))
    expect.soft(`${shows(await tried(client, [text]))}: ${text}`).toBe(`false: ${text}`)
  for (const [take] of moving) expect.soft(await tried(client, [take]), take).toContain('"42501"')
})

test('what one mask takes a function for is not what another takes it for', async () => {
  const trusting = rulesOf({ columns: [{ names: ['score'], by: 'full' }], allowFunctions: ['mail_of'] })
  const alone = await connected(await startShopUnder([trusting]))
  expect((await alone.query('select mail_of(1) as m')).rows).toEqual([{ m: secrets[0] }])
  const both = await connected(await startShopUnder([trusting, email('full')]))
  expect((await both.query('select mail_of(1) as m')).rows).toEqual([{ m: '***' }])
})
