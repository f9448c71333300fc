/** The log tells everything that happened and nothing that is private, and nobody can rewrite it unseen. */

import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { directorySource, directoryWriter, exportLog, httpSource, verifyLog, verifyReceipt } from '@tidegate/audit'
import { createLogger } from '@tidegate/server'
import { opened, permitted } from './support/access.ts'
import { scratchFolder } from './support/folders.ts'
import { entriesOf, entryTypesOf, everythingIn, inStore } from './support/story.ts'
import { createWorld, createWorldForTest } from './support/tidegate.ts'

const told = {
  reason: 'Mrs Møller asked about order 1007',
  ticket: 'OPS-4711',
  task: 'look-up-møller',
  note: 'Found her parcel',
  comment: 'Fine by me, it is hers',
  revoked: 'Mrs Møller has called again',
}

type Story = {
  readonly first: {
    readonly grant: string
    readonly request: string
    readonly at: Record<'before' | 'start' | 'end', number>
  }
  readonly second: { readonly grant: string; readonly request: string }
  readonly secrets: readonly string[]
}

let world: Awaited<ReturnType<typeof createWorld>>
let story: Story
const logged: string[] = []

beforeAll(async () => {
  const logger = createLogger('debug', { write: (line) => void logged.push(line) })
  world = await createWorld({ logger })
  story = await play()
  await world.server.drain()
})
afterAll(() => world.stop())

/** Everything that can happen to a request and a grant, once. */
async function play(): Promise<Story> {
  const [alice, carol, dora] = ['alice', 'carol', 'dora'].map((id) => world.as(id)) as [
    typeof world.admin,
    typeof world.admin,
    typeof world.admin,
  ]
  const device = { name: 'device', subject: 'user:alice', value: { compliant: true, managed: true } } as const
  await world.as('device-manager').putSignal(device)
  const { reason, ticket, task } = told
  const filed = await alice.createRequest({ role: 'orders-db/readonly', duration: '30m', reason, ticket, task })
  const before = world.clock.now()
  world.clock.advance(60_000)
  const start = world.clock.now()
  const { grant, credential } = await alice.activateGrant({ id: filed.grant as string })
  const again = await alice.activateGrant({ id: grant.id })
  world.clock.advance(60_000)
  const end = world.clock.now()
  await alice.endGrant({ id: grant.id, note: told.note })
  await world.server.drain()

  const writing = await alice.createRequest({
    role: 'orders-db/writer',
    duration: '1h',
    reason,
    startAt: new Date(end + 60_000).toISOString(),
  })
  const approved = await carol.approveRequest({ id: writing.id, comment: told.comment })
  world.clock.advance(60_000)
  await world.server.drain()
  const second = await alice.activateGrant({ id: approved.grant as string })
  world.clock.advance(60_000)
  await dora.revokeGrant({ id: second.grant.id, reason: told.revoked })
  await world.server.drain()

  const denied = await alice.createRequest({ role: 'orders-db/writer', duration: '1h', reason })
  await dora.denyRequest({ id: denied.id, comment: told.comment })
  const cancelled = await alice.createRequest({ role: 'orders-db/writer', duration: '1h', reason })
  await alice.cancelRequest({ id: cancelled.id })
  await alice.createRequest({ role: 'orders-db/readonly', duration: '9h', reason })
  await dora.surveyResource({ id: 'orders-db' })
  return {
    first: { grant: grant.id, request: filed.id, at: { before, start, end } },
    second: { grant: second.grant.id, request: writing.id },
    secrets: [credential, again.credential, second.credential].map(({ secret }) => secret),
  }
}

const source = () => httpSource(`${world.server.url}/log/`, { fetch })
const vkey = (): string => world.server.verifierKey

async function exported(): Promise<string> {
  const folder = scratchFolder()
  expect(await exportLog({ source: source(), writer: directoryWriter(folder), vkey: vkey() })).toMatchObject({
    ok: true,
  })
  return folder
}

async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .toSorted()
}

test('every change of state has its entry, in order', async () => {
  const whole = `
    installation.created account.invited configuration.applied signal.received
    request.filed request.approved grant.created grant.opening grant.opened grant.reissued grant.ending grant.ended
    request.filed request.answered request.approved grant.created grant.ready
    grant.opening grant.opened grant.ending grant.ended
    request.filed request.answered request.denied
    request.filed request.cancelled
    request.filed request.denied
    survey.taken`
  expect(await entryTypesOf(world.admin)).toEqual(whole.trim().split(/\s+/))
  const places = (await entriesOf(world.admin)).map(({ index }) => index)
  expect(places).toEqual(places.map((_, index) => index))
})

test('the log verifies over HTTP with nothing but its key, and begins with what it was before', async () => {
  const verdict = await verifyLog({ source: source(), vkey: vkey() })
  expect(verdict).toMatchObject({ ok: true, size: (await entriesOf(world.admin)).length })
  if (!verdict.ok) return
  await permitted(world.as('bob'))
  await world.server.drain()
  const later = await verifyLog({ source: source(), vkey: vkey(), earlier: verdict.checkpoint })
  expect(later).toMatchObject({ ok: true, size: verdict.size + 3 })
})

test('an exported log verifies offline, and with any one byte changed in any of its files it does not', async () => {
  const folder = await exported()
  expect(await verifyLog({ source: directorySource(folder), vkey: vkey() })).toMatchObject({ ok: true })
  const files = await Promise.all((await filesIn(folder)).map(async (path) => ({ path, bytes: await readFile(path) })))
  const places = fc
    .constantFrom(...files)
    .chain((file) =>
      fc.record({ file: fc.constant(file), at: fc.nat(file.bytes.length - 1), by: fc.integer({ min: 1, max: 255 }) }),
    )
  const property = fc.asyncProperty(places, async ({ file: { path, bytes }, at, by }) => {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ by
    await writeFile(path, changed)
    const verdict = await verifyLog({ source: directorySource(folder), vkey: vkey() })
    await writeFile(path, bytes)
    expect(verdict.ok).toBe(false)
  })
  await fc.assert(property, { numRuns: 150 })
})

test('an entry that was rewritten is named, and a log that was cut is smaller than what its reader remembers', async () => {
  const folder = await exported()
  const whole = await verifyLog({ source: directorySource(folder), vkey: vkey() })
  if (!whole.ok) throw new Error(whole.detail)
  const bundle = (await filesIn(folder)).find((path) => path.includes('entries')) as string
  const index = (await entriesOf(world.admin)).findIndex(({ type }) => type === 'grant.reissued')
  const bytes = await readFile(bundle)
  await cp(bundle, `${bundle}.kept`)
  await writeFile(bundle, Buffer.from(bytes.toString('latin1').replace('grant.reissued', 'grant.reissueD'), 'latin1'))
  expect(await verifyLog({ source: directorySource(folder), vkey: vkey() })).toMatchObject({
    ok: false,
    reason: 'entry-mismatch',
    index,
  })
  await writeFile(bundle, bytes)
  await permitted(world.as('bob'))
  await world.server.drain()
  const later = await verifyLog({ source: source(), vkey: vkey() })
  if (!later.ok) throw new Error(later.detail)
  expect(await verifyLog({ source: directorySource(folder), vkey: vkey(), earlier: later.checkpoint })).toMatchObject({
    ok: false,
    reason: 'shrunk',
  })
})

test('a change of a thousand things, and a decision of a thousand policies, fit into their entries', async () => {
  const mine = await createWorldForTest()
  const name = (index: number): string => `${'p'.repeat(90)}-${index}`
  const scope = 'principal in Group::"engineers", action == Action::"access", resource in Label::"service=orders"'
  const many = Array.from(
    { length: 1_000 },
    (_, index) => `@id("${name(index)}") @max_duration("8h") permit (${scope});`,
  )
  const groups = Array.from({ length: 1_000 }, (_, index) => `  - { id: g${'g'.repeat(56)}-${index} }`)
  const files = [
    ...mine.files,
    { path: 'many.cedar', text: many.join('\n') },
    { path: 'many.yaml', text: `groups:\n${groups.join('\n')}` },
  ]
  expect((await mine.admin.applyConfig({ files })).plan.items).toHaveLength(2_000)
  const request = await mine
    .as('alice')
    .createRequest({ role: 'orders-db/readonly', duration: '30m', reason: told.reason })
  expect(request.status).toBe('approved')
  expect(request.decision.policies).toHaveLength(1_001)
  await mine.server.drain()
  const log = httpSource(`${mine.server.url}/log/`, { fetch })
  expect(await verifyLog({ source: log, vkey: mine.server.verifierKey })).toMatchObject({ ok: true })
})

describe('receipts', () => {
  test('the holder of a grant proves offline that it ended, and whose it was', async () => {
    const receipt = await world.as('alice').getReceipt({ id: story.first.grant })
    const facts = verifyReceipt(receipt.proof, vkey())
    if (!facts.ok) throw new Error(facts.detail)
    expect(facts.entry).toMatchObject({
      type: 'grant.ended',
      grant: story.first.grant,
      reason: 'done',
      verifiedGone: true,
    })
    expect(facts.disclosures).toMatchObject([{ path: '/principal', value: 'user:alice', result: 'opens' }])
    const forged = receipt.proof.replace(/^extra .*$/m, (line) => {
      const extra = Buffer.from(line.slice('extra '.length), 'base64').toString()
      return `extra ${Buffer.from(extra.replace('user:alice', 'user:malic')).toString('base64')}`
    })
    expect(forged).not.toBe(receipt.proof)
    expect(verifyReceipt(forged, vkey())).toMatchObject({ ok: false, reason: 'bad-disclosure' })
  })

  test('an auditor has the receipt of any entry, and nobody has those of others', async () => {
    for (const { id, index } of await entriesOf(world.admin)) {
      const receipt = await world.as('sam').getReceipt({ id })
      expect(verifyReceipt(receipt.proof, vkey())).toMatchObject({ ok: true, index })
      await expect(world.as('bob').getReceipt({ id })).rejects.toMatchObject({ code: 'not-found' })
    }
    for (const id of [story.first.grant, story.first.request])
      await expect(world.as('bob').getReceipt({ id })).rejects.toMatchObject({ code: 'not-found' })
  })

  test('a receipt of what has only just happened is given at once', async () => {
    const id = await permitted(world.as('alice'))
    const receipt = await world.as('alice').getReceipt({ id })
    expect(verifyReceipt(receipt.proof, vkey())).toMatchObject({
      ok: true,
      entry: { type: 'grant.created', grant: id },
    })
  })
})

describe('what is private', () => {
  test('nothing that is published holds a person, a reason, a ticket or a word of theirs in clear', async () => {
    const files = await Promise.all((await filesIn(await exported())).map((path) => readFile(path, 'latin1')))
    const published = files.join('\n') + Buffer.from(files.join('\n'), 'latin1').toString('utf8')
    expect(published).toContain('grant.opening')
    const people = ['alice', 'bob', 'carol', 'dora', 'sam@', 'user:']
    for (const word of [...people, ...Object.values(told)]) expect(published.includes(word), word).toBe(false)
  })

  test('no secret stands in the log, in the store, in an entry or in what the server logged', async () => {
    const key = world.settings.key.from === 'value' ? world.settings.key.text : ''
    const tokens = ['alice', 'carol', 'dora', 'device-manager'].map((id) => world.tokenOf(id))
    const secrets = [...story.secrets, ...tokens, world.target.admin.password, world.store.connection.password, key]
    // Something that goes wrong, so that the server has something to say.
    const breaking = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()'
    await inStore(world.store, `${breaking} and pid <> pg_backend_pid()`)
    await expect.poll(() => logged.length).toBeGreaterThan(0)
    const places = {
      store: await everythingIn(world.store),
      entries: JSON.stringify(await entriesOf(world.admin)),
      published: (await Promise.all((await filesIn(await exported())).map((path) => readFile(path, 'latin1')))).join(
        '\n',
      ),
      logged: logged.join('\n'),
    }
    for (const [place, text] of Object.entries(places)) {
      for (const secret of secrets) expect(text.includes(secret), `${place} holds ${secret.slice(0, 4)}…`).toBe(false)
      expect(text).not.toContain('SCRAM-SHA-256$')
    }
  })

  test('erasing what stands behind the commitments leaves the log whole, and nothing of the person in it', async () => {
    const mine = await createWorldForTest()
    const { grant } = await opened(mine.as('alice'), { ticket: told.ticket })
    await mine.as('alice').endGrant({ id: grant.id, note: told.note })
    await mine.server.drain()
    const kept = await mine.as('alice').getReceipt({ id: grant.id })
    await inStore(mine.store, `delete from audit_disclosure where subject = 'user:alice'`)
    const left = await inStore(mine.store, 'select value::text from audit_disclosure')
    expect(JSON.stringify(left)).not.toMatch(/alice|OPS-4711|parcel/)
    const log = httpSource(`${mine.server.url}/log/`, { fetch })
    expect(await verifyLog({ source: log, vkey: mine.server.verifierKey })).toMatchObject({ ok: true })
    const entries = await entriesOf(mine.admin, { grant: grant.id })
    expect(entries.map(({ disclosed }) => disclosed)).toEqual(entries.map(() => ({})))
    expect(verifyReceipt(kept.proof, mine.server.verifierKey)).toMatchObject({ ok: true })
    const after = await mine.as('alice').getReceipt({ id: grant.id })
    expect(verifyReceipt(after.proof, mine.server.verifierKey)).toMatchObject({ ok: true, disclosures: [] })
  })
})

describe('who had access', () => {
  const holdersAt = async (at: number, who = 'sam'): Promise<string[]> => {
    const page = await world.as(who).whoHadAccess({ resource: 'orders-db', at: new Date(at).toISOString() })
    return page.items.map(({ grant }) => grant)
  }

  test('a grant is held from its activation until it was read back as gone, and at no other instant', async () => {
    const { grant, at } = story.first
    expect(await holdersAt(at.before)).toEqual([])
    expect(await holdersAt(at.start - 1)).toEqual([])
    expect(await holdersAt(at.start)).toEqual([grant])
    expect(await holdersAt(at.end - 1)).toEqual([grant])
    expect(await holdersAt(at.end)).toEqual([])
  })

  test('the answer says who, why, until when and by whose leave, to those who may know', async () => {
    const { activatedAt, endedAt } = await world.admin.getGrant({ id: story.second.grant })
    const question = { resource: 'orders-db', at: activatedAt as string }
    const held = (await world.as('bob').whoHadAccess(question)).items
    expect(held).toMatchObject([
      {
        principal: 'user:alice',
        role: 'orders-db/writer',
        reason: told.reason,
        approvers: ['user:carol'],
        from: activatedAt,
        to: endedAt,
        endReason: 'revoked',
      },
    ])
    for (const who of ['sam', 'dora', 'bob']) expect((await world.as(who).whoHadAccess(question)).items).toEqual(held)
    for (const who of ['alice', 'carol'])
      await expect(world.as(who).whoHadAccess(question)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(world.as('sam').whoHadAccess({ resource: 'never-was' })).rejects.toMatchObject({ code: 'not-found' })
  })
})
