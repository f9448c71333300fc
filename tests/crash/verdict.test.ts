/** The verdict is no formality: it finds whatever is planted for it to find. */

import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Fleet } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import type { Ledger, Life } from './ledger.ts'
import { play } from './scenario.ts'
import { judge } from './verdict.ts'

/** What the ledger says was answered, although it never was. */
const claims: readonly (readonly [finds: string, claim: (ledger: Ledger) => void])[] = [
  ['the request is lost', (ledger) => void (lifeOf(ledger).request = { ...requestOf(ledger), id: 'req_never' })],
  [
    'the entry of the request is lost',
    (ledger) => void (lifeOf(ledger).request = { ...requestOf(ledger), id: 'req_no' }),
  ],
  [
    'the approval of nobody is lost',
    (ledger) => void (lifeOf(ledger).approved = { by: 'nobody', request: requestOf(ledger) }),
  ],
  [
    'the grant grt_never is lost',
    (ledger) => void (lifeOf(ledger).request = { ...requestOf(ledger), grant: 'grt_never' }),
  ],
  ['the reason revoked of', (ledger) => void (lifeOf(ledger).end = { reason: 'revoked', answeredAt: Date.now() })],
  ['was not cut', (ledger) => void (lifeOf(ledger).session = { since: Date.now() })],
  ['was given up', (ledger) => void (lifeOf(ledger).stopped = { at: 'open', refused: 'unavailable', detail: 'Away.' })],
  ['only 0 accesses were seen', ({ lives }) => void lives.splice(0)],
  ['internal was answered 1 times', ({ tally }) => void tally.set('internal', 1)],
  ['the entry ent_never was listed, and is lost', ({ places }) => void places.set('ent_never', 1)],
  ['was at 100000, and is at', ({ places }) => void places.set([...places.keys()][0] ?? '', 100_000)],
  ['and was shown with 100000', ({ checkpoints }) => void checkpoints.set(100_000, [...checkpoints.values()][0] ?? '')],
  [
    'the checkpoint of size 2 is of another log',
    ({ checkpoints }) => void checkpoints.set(2, [...checkpoints.values()].at(-1) ?? ''),
  ],
  ['the session was seen', ({ violations }) => void violations.push('the session was seen')],
]

/** Someone whose grant ran out. */
function lifeOf({ lives }: Ledger): Life {
  const life = lives.find(({ end, session }) => end?.reason === 'expired' && session)
  if (!life) throw new Error('Somebody lets a grant run out.')
  return life
}

function requestOf(ledger: Ledger): NonNullable<Life['request']> {
  const { request } = lifeOf(ledger)
  if (!request) throw new Error('Whoever had a grant had asked for it.')
  return request
}

/** Of the last grant: one fault is told of each, and the first one has another. */
const copyOfEnd = `insert into tidegate.audit_entry (id, type, at, request, grant_id, body)
  select 'ent_copy', type, at, request, grant_id,
    convert_to(replace(convert_from(body, 'utf8'), '"verifiedGone":true', '"verifiedGone":false'), 'utf8')
  from tidegate.audit_entry where type = 'grant.ended'
    and grant_id in (select grant_id from tidegate.audit_entry where type = 'grant.opened')
  order by grant_id desc limit 1`

/** What is done to the store, the target and the servers behind everyone's back. */
const deeds: readonly (readonly [finds: readonly string[], deed: (fleet: Fleet) => Promise<unknown>])[] = [
  [
    [
      'the login tg_orders_db_grt_nobodys is still on orders-db',
      'a session of tg_orders_db_grt_nobodys is still on orders-db',
    ],
    stray,
  ],
  [
    ['a session of nobody is still on orders-db'],
    ({ target, onTarget }) => onTarget(target, `drop role ${target.prefix}grt_nobodys`),
  ],
  [
    ['close-failing is still open about grant:grt_x'],
    ({ inStore }) =>
      inStore(
        `insert into tidegate.finding (id, kind, subject, severity, message, opened_at, last_seen_at)
         values ('fnd_x', 'close-failing', 'grant:grt_x', 'high', 'Planted', now(), now())`,
      ),
  ],
  [
    ['was filed 2 times'],
    ({ inStore }) =>
      inStore(
        `update tidegate.access_request set reason = (select max(reason) from tidegate.access_request)
         where reason = (select min(reason) from tidegate.access_request)`,
      ),
  ],
  [
    ['ended as policy-changed, and nobody gave it that reason'],
    ({ inStore }) =>
      inStore(
        `update tidegate.access_grant set end_reason = 'policy-changed'
         where id = (select min(id) from tidegate.access_grant where state = 'ended')`,
      ),
  ],
  [['stands in the log 2 times', 'ended without being read back'], ({ inStore }) => inStore(copyOfEnd)],
  [['server-1 wrote: {"level":60'], ({ folder }) => appendFile(join(folder, 'server-1.log'), '{"level":60}\n')],
  [
    ['server-1 ended by itself 1 times'],
    async ({ members: [server], startAll }) => {
      if (server) process.kill(server.pid(), 'SIGKILL')
      await eventually({ what: 'it is gone', withinMs: 10_000 }, () => server?.isUp() === false)
      await startAll()
    },
  ],
  [
    ['the log does not verify'],
    ({ inStore }) =>
      inStore(`update tidegate.audit_tile set hashes = substr(hashes, 1, octet_length(hashes) - 1) || '\\x00'`),
  ],
]

/** A login and a session of it, which nobody gave. */
async function stray({ target, onTarget, inStore }: Fleet): Promise<void> {
  // Not to be found by the sweep meanwhile.
  await inStore(`update tidegate.target_state set due_at = now() + interval '1 hour'`)
  const login = `${target.prefix}grt_nobodys`
  await onTarget(target, `create role ${login} login password 'planted'`)
  const { host, port } = target.cluster.connection
  const session = new pg.Client({ host, port, database: target.database, user: login, password: 'planted' })
  session.on('error', () => undefined)
  await session.connect()
}

test('the verdict finds whatever is planted for it to find', { timeout: 600_000 }, async (context) => {
  const fleet = await fleetForTest(context, { scenario: 'what is planted', servers: 1 })
  const { ledger, violations } = await play(fleet, { name: 'what is planted', chaos: (one) => seenThrough(one) })
  expect(violations).toEqual([])
  for (const [finds, claim] of claims) {
    const claimed = structuredClone(ledger)
    claim(claimed)
    expect((await judge(fleet, claimed)).violations, finds).toContainEqual(expect.stringContaining(finds))
  }
  for (const [finds, deed] of deeds) {
    await deed(fleet)
    const found = (await judge(fleet, ledger)).violations
    for (const one of finds) expect(found).toContainEqual(expect.stringContaining(one))
  }
})

async function seenThrough({ lives }: Ledger): Promise<void> {
  await eventually({ what: 'some grants ran out', withinMs: 60_000 }, () =>
    ['expired', 'done', 'revoked'].every((reason) =>
      lives.some(({ end, session }) => end?.reason === reason && session),
    ),
  )
}
