/**
 * A directory pushed by SCIM, as an identity provider does at its first sync and at every later one, beside the same rows
 * inserted bare in as many transactions; and leavers, from the sending of `active: false` to the last byte on their
 * session, beside the least SQL that closes a login by hand.
 */

import { createHash, randomBytes } from 'node:crypto'
import pg from 'pg'
import { closeByHand, holdSession, moment, openByHand, openThroughTidegate } from './access.ts'
import type { Call } from './calls.ts'
import { createCaller } from './calls.ts'
import type { Bench, BenchOptions, Row } from './harness.ts'
import { against, figureOf, inParallel, medianOf, numbers, rowOf, timed } from './harness.ts'
import { entryColumns, insertLeft } from './left-rows.ts'
import type { Stand } from './stand.ts'
import { setUp } from './stand.ts'

/** Requests of a source under way at once. */
const width = 8
const groupSize = 10
const inOnePatch = 1_000

const token = `tdg_${randomBytes(32).toString('base64url')}`
const hash = createHash('sha256').update(token).digest('hex')

/** Nobody signs in at it, and nothing asks it. */
const identity = `
identity:
  providers: [{ id: idp, issuer: 'https://idp.example', clientId: bench, clientSecret: env:NONE, domains: [example.com] }]
  scim: [{ id: people, provider: idp, tokens: [{ hash: 'sha256:${hash}', expires: '2099-01-01T00:00:00Z' }] }]
`

export const scim: Bench = {
  name: 'scim',
  about: 'a directory pushed by SCIM, and leavers',
  runs: 'named',
  async run(options) {
    const stand = await setUp(options, undefined, (resource) => `${resource}\n${identity}`)
    const { call, close } = createCaller(stand.server.url)
    const push = pusherOf(call)
    try {
      return [...(await syncing(stand, push, options)), ...(await leaving(stand, push, options))]
    } finally {
      close()
      await stand.close()
    }
  },
}

type Push = (method: 'POST' | 'PUT' | 'PATCH', path: string, body: object) => Promise<{ readonly id?: string }>

const pusherOf =
  (call: Call): Push =>
  async (method, path, json) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' }
    const { body } = await call({ method, path: `/scim/v2${path}`, headers, json })
    return body === '' ? {} : (JSON.parse(body) as { id: string })
  }

const userOf = (name: string) => ({
  userName: `${name}@example.com`,
  externalId: name,
  displayName: `Person ${name}`,
  name: { givenName: 'Person', familyName: name },
  emails: [{ value: `${name}@example.com`, type: 'work', primary: true }],
  active: true,
})

type Sizes = { readonly people: number; readonly groups: number }

async function syncing(stand: Stand, push: Push, { quick, note }: BenchOptions): Promise<readonly Row[]> {
  const sizes: Sizes = quick ? { people: 500, groups: 50 } : { people: 10_000, groups: 1_000 }
  const { people, groups } = sizes
  const memory = await watchMemory(stand)
  note(`${people} people`)
  const pushed = await timed(() =>
    inParallel(numbers(people), width, async (i) => (await push('POST', '/Users', userOf(`p${i}`))).id ?? ''),
  )
  const ids = pushed.result
  const groupOf = (group: number) => ({
    displayName: `group ${group}`,
    members: numbers(groupSize).map((i) => ({ value: ids[(group * groupSize + i) % people] })),
  })
  note(`${groups} groups of ${groupSize}`)
  const grouped = await timed(() =>
    inParallel(numbers(groups), width, async (i) => (await push('POST', '/Groups', groupOf(i))).id ?? ''),
  )
  note('the same again, of which nothing has changed')
  const again = await timed(() => inParallel(ids, width, (id, i) => push('PUT', `/Users/${id}`, userOf(`p${i}`))))
  const groupsAgain = await timed(() =>
    inParallel(grouped.result, width, (id, i) => push('PUT', `/Groups/${id}`, groupOf(i))),
  )
  const weighed = memory.stop()
  const patches = await patching(push, ids.slice(0, inOnePatch), note)
  note('the same rows, bare')
  const written = await insertLeft(stand.store, { database: 'bare_scim', query: leftOf, width })
  const read = await timed(() => readBare(stand, ids))
  const bare = rate('bare inserts of what is left of a person, log included: people', people, written.ms)
  const bareRead = rate('bare reads of the rows of a person', people, read.ms)
  return [
    bare,
    against(rate('pushed: people', people, pushed.ms), bare, { atLeast: 0.33 }),
    rate(`pushed: groups with ${groupSize} members`, groups, grouped.ms),
    figureOf(`the whole sync of ${people} people in ${groups} groups`, pushed.ms + grouped.ms, 'ms'),
    bareRead,
    against(rate('pushed again, unchanged: people', people, again.ms), bareRead),
    rate(`pushed again, unchanged: groups with ${groupSize} members`, groups, groupsAgain.ms),
    rowOf(`a patch that adds or removes ${Math.min(people, inOnePatch)} members`, patches),
    ...weighed,
  ]
}

const rate = (what: string, count: number, ms: number): Row => medianOf(what, [(count * 1_000) / ms], 'per s')

async function patching(push: Push, ids: readonly string[], note: BenchOptions['note']): Promise<number[]> {
  note(`one group of ${ids.length}, emptied and filled by one patch each`)
  const whole = await push('POST', '/Groups', { displayName: 'everyone', members: [] })
  const all = ids.map((value) => ({ value }))
  const patches: number[] = []
  for (const _ of numbers(10)) {
    for (const value of [all, []]) {
      const body = { Operations: [{ op: 'replace', path: 'members', value }] }
      patches.push((await timed(() => push('PATCH', `/Groups/${whole.id}`, body))).ms)
    }
  }
  return patches
}

type Memory = { readonly stop: () => readonly Row[] }

/** Of the server, resident, twice a second. */
async function watchMemory({ server }: Stand): Promise<Memory> {
  const before = (await server.rssMb()) ?? Number.NaN
  const samples: number[] = []
  const watching = setInterval(() => {
    void server.rssMb().then((mb) => mb !== undefined && samples.push(mb))
  }, 500)
  return {
    stop() {
      clearInterval(watching)
      return [
        figureOf('memory of the server before', before, 'MB'),
        figureOf(
          'memory of the server at its peak, through all that was pushed and pushed again',
          Math.max(...samples),
          'MB',
        ),
        figureOf('memory of the server at the end of it', samples.at(-1) ?? Number.NaN, 'MB'),
      ]
    },
  }
}

/** What a push that changes nothing has to know: each by one prepared statement, so many at once. */
async function readBare({ store }: Stand, ids: readonly string[]): Promise<void> {
  const pool = new pg.Pool({ connectionString: store.secretUrl, options: '-c search_path=tidegate', max: width })
  const text = 'select * from scim_user s join directory_user d on d.id = s.user_id where s.id = $1'
  try {
    await inParallel(ids, width, (id) => pool.query({ name: 'bare read', text, values: [id] }))
  } finally {
    await pool.end()
  }
}

/** What is left of a person: their rows, and the entry that tells of it. */
const leftOf = `
  select json_build_array(d)::text as directory_user, json_build_array(s)::text as scim_user, ${entryColumns('e')}
  from scim_user s
  join directory_user d on d.id = s.user_id
  join audit_disclosure a on a.subject = 'user:' || d.id
  join audit_entry e on e.id = a.entry and e.type = 'directory.user-changed'`

/** Engineers are known to the source by their addresses; each in turn leaves, and comes back. */
async function leaving(stand: Stand, push: Push, { rounds, quick, note }: BenchOptions): Promise<readonly Row[]> {
  const count = rounds ?? (quick ? 10 : 200)
  note(`${count} leavers, one after the other`)
  const ids = await inParallel(stand.people, 1, (_client, i) => push('POST', '/Users', userOf(`engineer-${i}`)))
  const active = (i: number, value: boolean) =>
    push('PATCH', `/Users/${ids[i]?.id}`, { Operations: [{ op: 'replace', value: { active: value } }] })
  const superuser = await stand.connectTarget()
  const byHand: number[] = []
  const answered: number[] = []
  const cut: number[] = []
  for (const round of numbers(count)) {
    const i = round % stand.people.length
    const opened = await openThroughTidegate(stand.people[i] ?? stand.alice, '1h')
    const session = await holdSession(opened.login)
    const sent = moment()
    await active(i, false)
    answered.push(moment().ms - sent.ms)
    cut.push((await session.cut).ms - sent.ms)
    await active(i, true)
    const login = await openByHand(superuser, stand)
    const held = await holdSession(login)
    const called = moment()
    await closeByHand(superuser, login.user)
    byHand.push((await held.cut).ms - called.ms)
  }
  const bare = rowOf('by hand, when called', byHand)
  const ended = rowOf('active: false to the last byte of the last session', cut)
  const p99 = ({ what, figures }: Row): Row => figureOf(`${what}, p99`, figures['p99'] ?? Number.NaN, 'ms')
  return [
    bare,
    against(ended, bare),
    against(p99(ended), p99(bare), { atMost: 3 }),
    rowOf('active: false to its answer', answered),
  ]
}
