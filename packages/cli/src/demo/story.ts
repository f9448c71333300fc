/** The main job, step by step, for real. A step that is not as it should be throws. */

import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Output } from '@tidegate/api'
import pg from 'pg'
import type { Narrator } from './narrator.ts'
import type { Actor, Ran, Stage } from './stage.ts'

export type Play = {
  readonly stage: Stage
  readonly narrator: Narrator
  readonly timed: Timed
  /** Says a figure that was measured elsewhere; it comes again at the end. */
  readonly figure: (what: string, ms: number) => void
}
/** Says what was done and how long it took; the figures come again at the end. */
export type Timed = <T>(what: string, work: () => Promise<T>) => Promise<T>

export type Step = { readonly title: string; readonly play: (play: Play) => Promise<void> }

type Credential = Output<'activateGrant'>['credential']
type Grant = Output<'getGrant'>

function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

async function run({ stage, narrator }: Play, actor: Actor, argv: readonly string[]): Promise<Ran> {
  narrator.typed(actor, `tidegate ${argv.map(quoted).join(' ')}`)
  const ran = await stage.run(actor, argv)
  narrator.shown(ran.output.replaceAll(`${stage.folder}/`, ''))
  return ran
}

const quoted = (word: string): string => (/[\s"]/.test(word) ? JSON.stringify(word) : word)

async function connect(credential: Credential): Promise<pg.Client> {
  const { host, port, databases, user, secret } = credential
  const client = new pg.Client({ host, port, database: databases[0], user, password: secret })
  // The cut is what is shown; its error arrives with the query that was running.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

type Opened = { readonly grant: Grant; readonly credential: Credential; readonly session: pg.Client }

async function open({ stage }: Play, { actor, grant }: { actor: Actor; grant: string }): Promise<Opened> {
  const opened = await stage.client(actor).activateGrant({ id: grant })
  return { ...opened, session: await connect(opened.credential) }
}

/** Asks and opens at once what policy gives by itself. */
async function takeReadonly(play: Play, { duration, reason }: { duration: string; reason: string }): Promise<Opened> {
  const request = await play.stage.client('alice').createRequest({ role: 'orders-db/readonly', duration, reason })
  expect(request.grant !== undefined, `The request is ${request.status}.`)
  return open(play, { actor: 'alice', grant: request.grant })
}

async function roleExists({ stage }: Play, role: string): Promise<boolean> {
  const client = new pg.Client({ ...stage.target.connection, database: 'orders' })
  await client.connect()
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  await client.end()
  return rowCount === 1
}

/** Waits for the server's own word; it is asked, not slept for. */
async function eventually<T>(look: () => Promise<T | undefined>, otherwise: string): Promise<T> {
  for (let left = 200; left > 0; left--) {
    const seen = await look()
    if (seen !== undefined) return seen
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(otherwise)
}

const untilEnded = ({ stage }: Play, actor: Actor, id: string): Promise<Grant> =>
  eventually(async () => {
    const grant = await stage.client(actor).getGrant({ id })
    return grant.state === 'ended' ? grant : undefined
  }, `The grant ${id} has not ended.`)

const latestGrant = async ({ stage }: Play, role: string): Promise<string> => {
  const { items } = await stage.client('alice').listGrants({ role, limit: 1 })
  expect(items[0] !== undefined, `There is no grant on ${role}.`)
  return items[0].id
}

async function applyExample(play: Play): Promise<void> {
  const applied = await play.timed('applied, and the roles are made on orders-db', () =>
    run(play, 'admin', ['apply', '-f', play.stage.configuration, '--yes']),
  )
  expect(applied.code === 0, 'The example configuration was not applied.')
}

async function readByPolicy(play: Play): Promise<void> {
  const asked = await play.timed('asked and granted by policy', () =>
    run(play, 'alice', ['request', 'orders-db/readonly', '--for', '15m', '--reason', 'Order 4711 looks wrong']),
  )
  expect(asked.code === 0, 'Reading was not granted by policy.')
  const grant = await latestGrant(play, 'orders-db/readonly')
  const { session, credential } = await play.timed('opened: a login of her own, for 15 minutes', () =>
    open(play, { actor: 'alice', grant }),
  )
  play.narrator.say(`login ${credential.user}, until ${credential.expiresAt}`)
  const { rows } = await session.query<{ status: string; orders: string }>(
    'select status, count(*) as orders from shop.orders group by status order by status',
  )
  play.narrator.shown(rows.map(({ status, orders }) => `${status.padEnd(10)} ${orders}`).join('\n'))
  const refused = await session.query('delete from shop.orders').then(
    () => undefined,
    (error: Error) => error.message,
  )
  expect(refused !== undefined, 'A reader could delete.')
  play.narrator.say(`and no more than that: delete → ${refused}`)
  await session.end()
}

async function writeWithALead(play: Play): Promise<void> {
  const { stage, narrator, timed } = play
  const asked = await run(play, 'alice', [
    'request',
    'orders-db/writer',
    '--for',
    '30m',
    '--reason',
    'Correct the note on order 4711',
  ])
  expect(asked.code === 4, 'Writing in production was not left to a lead.')
  const { items } = await stage.client('carol').listRequests({ awaiting: 'me' })
  expect(items[0] !== undefined, 'Nothing waits for carol.')
  await run(play, 'alice', ['approve', items[0].id])
  narrator.say('No one answers their own request. Carol is a team lead:')
  const approved = await run(play, 'carol', ['approve', items[0].id, '--comment', 'Agreed, one order'])
  expect(approved.code === 0, 'The lead’s approval was not taken.')
  const grant = await latestGrant(play, 'orders-db/writer')
  const { session } = await timed('opened for writing', () => open(play, { actor: 'alice', grant }))
  const { rowCount } = await session.query("update shop.orders set note = 'address corrected' where id = 4711")
  expect(rowCount === 1, 'Alice could not write.')
  narrator.say('update shop.orders … where id = 4711 → 1 row')
  await session.end()
}

async function refusedWithARemedy(play: Play): Promise<void> {
  const argv = ['request', 'orders-db/maintainer', '--for', '1h', '--reason', 'Clean up cancelled orders']
  const refused = await run(play, 'alice', argv)
  expect(refused.code === 3 && /ticket/i.test(refused.output), 'The refusal does not say that a ticket would help.')
  play.narrator.say('The ticket system says that OPS-17 is open, and the same question has another answer:')
  await run(play, 'device-manager', ['signal', 'ticket', 'ticket:OPS-17', 'open=true'])
  const again = await run(play, 'alice', [
    'request',
    'orders-db/maintainer',
    '--for',
    '1h',
    '--ticket',
    'OPS-17',
    '--reason',
    'Clean up cancelled orders',
    '--dry-run',
  ])
  expect(again.code === 4, 'With an open ticket it is still refused.')
}

/** Resolves with the time at which the server cut the session. */
const whenCut = (session: pg.Client): Promise<number> =>
  new Promise((resolve) => session.once('end', () => resolve(Date.now())))

async function expiresMidSession(play: Play): Promise<void> {
  const { grant, credential, session } = await takeReadonly(play, { duration: '4s', reason: 'A quick look' })
  play.narrator.say(`opened until ${grant.expiresAt}; a query of 60 seconds is running on it`)
  const cut = whenCut(session)
  const running = session.query('select pg_sleep(60)').then(
    () => 'finished',
    (error: Error) => error.message,
  )
  const late = (await cut) - Date.parse(grant.expiresAt ?? '')
  const message = await running
  expect(message !== 'finished' && late >= 0, 'The session was not cut at the end of its grant.')
  play.narrator.say(`the query ended with: ${message}`)
  const ended = await untilEnded(play, 'alice', grant.id)
  expect(!(await roleExists(play, credential.user)), 'The login is still in pg_roles.')
  const gone = Date.parse(ended.endedAt ?? '') - Date.parse(grant.expiresAt ?? '')
  play.figure('the end of the grant to the cut of its connection', late)
  play.figure('the end of the grant to its login read back as gone from pg_roles', gone)
}

async function doneCloses(play: Play): Promise<void> {
  const { grant, credential, session } = await takeReadonly(play, { duration: '1h', reason: 'Checking stock' })
  const cut = whenCut(session)
  await play.timed('done: the open connection is cut', async () => {
    const done = await run(play, 'alice', ['done', grant.id])
    expect(done.code === 0, 'Saying done did not work.')
    await cut
  })
  await untilEnded(play, 'alice', grant.id)
  expect(!(await roleExists(play, credential.user)), 'The login is still in pg_roles.')
}

async function factEndsIt(play: Play): Promise<void> {
  const { grant, session } = await takeReadonly(play, { duration: '1h', reason: 'Monthly figures' })
  const cut = whenCut(session)
  await play.timed('a fact changed: the open connection is cut', async () => {
    await run(play, 'device-manager', ['signal', 'device', 'user:alice', 'compliant=false', 'managed=true'])
    await cut
  })
  const { end } = await untilEnded(play, 'alice', grant.id)
  expect(end?.reason === 'fact-changed', `It ended as ${end?.reason}.`)
  await play.stage
    .client('device-manager')
    .putSignal({ name: 'device', subject: 'user:alice', value: { compliant: true, managed: true } })
}

async function standing(play: Play): Promise<void> {
  const surveyed = await run(play, 'dora', ['survey', 'orders-db'])
  expect(surveyed.code === 0 && surveyed.output.includes('legacy_report'), 'The survey missed a superuser.')
}

async function provable(play: Play): Promise<void> {
  const { stage } = play
  const grant = await latestGrant(play, 'orders-db/readonly')
  const { activatedAt } = await stage.client('alice').getGrant({ id: grant })
  const who = await run(play, 'sam', ['who-had-access', '--resource', 'orders-db', '--at', activatedAt ?? ''])
  expect(who.code === 0 && who.output.includes('user:alice'), 'Who had access was not answered.')
  const receipt = join(stage.folder, 'receipt.tlog-proof')
  const written = await run(play, 'alice', ['audit', 'receipt', grant, '--out', receipt])
  expect(written.code === 0, 'There is no receipt.')
  const verified = await run(play, 'alice', ['audit', 'verify-receipt', receipt, '--key', stage.verifierKey])
  expect(verified.code === 0, 'The receipt does not verify.')
}

async function tamperEvident(play: Play): Promise<void> {
  const { stage, narrator, timed } = play
  const copy = join(stage.folder, 'log')
  expect((await run(play, 'sam', ['audit', 'export', copy])).code === 0, 'The log could not be copied.')
  const good = await timed('the copy verifies, every entry of it', () =>
    run(play, 'sam', ['audit', 'verify', '--dir', copy, '--key', stage.verifierKey]),
  )
  expect(good.code === 0, 'The untouched copy does not verify.')
  const forged = join(stage.folder, 'forged-log')
  await cp(copy, forged, { recursive: true })
  const changed = await changeOneByte(forged)
  narrator.say(`one byte changed in ${changed}:`)
  const bad = await run(play, 'sam', ['audit', 'verify', '--dir', forged, '--key', stage.verifierKey])
  expect(bad.code === 8, 'A changed log verifies.')
}

async function changeOneByte(folder: string): Promise<string> {
  const names = await readdir(join(folder, 'tile', 'entries'), { recursive: true, withFileTypes: true })
  const file = names.find((entry) => entry.isFile())
  if (!file) throw new Error('The copy has no entries.')
  const path = join(file.parentPath, file.name)
  const bytes = await readFile(path)
  const at = bytes.indexOf('"role":"orders-db/readonly"') + '"role":"orders-db/'.length
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(path, bytes)
  return path.slice(folder.length + 1)
}

async function throughAGateway(play: Play): Promise<void> {
  const { stage, narrator, timed } = play
  const recordings = await timed('a gateway has enrolled and is connected', () => stage.bringGateway())
  const applied = await run(play, 'admin', ['apply', '-f', stage.configuration, '--yes'])
  expect(applied.code === 0, 'The resource does not require its gateway.')
  const { grant, credential, session } = await takeReadonly(play, { duration: '1h', reason: 'A closer look' })
  expect(credential.user === grant.id, 'Alice was given a login of the target.')
  narrator.say('Alice has a password for the gateway. The login on orders-db is known to the gateway alone.')
  await session.query('select count(*) from shop.orders')
  const refused = await session.query('delete from shop.orders').catch((error: Error) => error.message)
  expect(typeof refused === 'string', 'The guard let a delete through.')
  narrator.say(`delete → ${refused}, and it never reached the target`)
  const id = await openSession(play, grant.id)
  await run(play, 'sam', ['sessions'])
  const cut = whenCut(session)
  await timed('killed: the open connection is cut, and the grant goes on', async () => {
    await run(play, 'dora', ['sessions', 'kill', id, '--reason', 'Enough for today'])
    await cut
  })
  await untilOver(play, id)
  const verified = await run(play, 'sam', ['recordings', 'verify', recordings, '--anchored'])
  expect(verified.code === 0, 'The recording does not verify.')
}

/** As soon as the gateway has told of it. */
const openSession = ({ stage }: Play, grant: string): Promise<string> =>
  eventually(async () => {
    const { items } = await stage.client('sam').listSessions({ grant, open: 'true' })
    return items[0]?.id
  }, 'The session is not listed.')

/** As soon as the gateway has told of its end, and with it of the whole recording. */
const untilOver = ({ stage }: Play, id: string): Promise<string> =>
  eventually(async () => (await stage.client('sam').getSession({ id })).endedAt, `The session ${id} has not ended.`)

export const story: readonly Step[] = [
  { title: 'The configuration is a directory: resources, roles, people, policies', play: applyExample },
  { title: 'Alice reads: policy gives it by itself', play: readByPolicy },
  { title: 'Alice writes in production: a lead agrees', play: writeWithALead },
  { title: 'A refusal says what would make it a yes', play: refusedWithARemedy },
  { title: 'Time is up in the middle of a query', play: expiresMidSession },
  { title: '“Done” closes at once', play: doneCloses },
  { title: 'A fact changes in the middle of a session', play: factEndsIt },
  { title: 'What stands open on the target without any grant', play: standing },
  { title: 'Who had what, when and why, with a receipt', play: provable },
  { title: 'The log cannot be changed unnoticed', play: tamperEvident },
  { title: 'With a gateway nobody holds a login of the target', play: throughAGateway },
]
