/**
 * The log: entries appended in the transactions of changes and integrated into the tree, beside the same rows inserted
 * bare in as many transactions; and proofs in a log of a million.
 */

import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import {
  emptyEdge,
  generateSignerKey,
  growTree,
  inclusionProof,
  leafHash,
  nodeHash,
  openSignerKey,
  verifyInclusion,
} from '@tidegate/audit'
import type { Hash, TileReader } from '@tidegate/audit'
import { createLogger } from '@tidegate/server'
import pg from 'pg'
import type { EntryDraft } from '../packages/server/src/log/append.ts'
import { createSequencer, sequencerBatch } from '../packages/server/src/log/sequencer.ts'
import { newId, systemRuntime } from '../packages/server/src/runtime.ts'
import { change } from '../packages/server/src/store/change.ts'
import { createDatabase, createPool } from '../packages/server/src/store/database.ts'
import type { Database } from '../packages/server/src/store/database.ts'
import { migrate } from '../packages/server/src/store/migrate.ts'
import type { Bench, BenchOptions, Row } from './harness.ts'
import { against, inParallel, medianOf, numbers, rowOf, turned } from './harness.ts'
import { startStore } from './stand.ts'

export const audit: Bench = {
  name: 'audit',
  about: 'entries into the log, and proofs out of it',
  run: async (options) => [...(await appending(options)), ...(await proving(options))],
}

/** As the server waits, so that one checkpoint takes a crowd. Rounds are seconds long, so that their ends count for little. */
const gatherMs = 100

async function appending(options: BenchOptions): Promise<readonly Row[]> {
  const chunks = options.rounds ?? (options.quick ? 2 : 5)
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
  await chmod(folder, 0o711)
  const store = await startStore(folder, options.report)
  try {
    const bareUrl = await store.make('bare')
    await Promise.all([migrate(store.secretUrl), migrate(bareUrl)])
    const rows: Row[] = []
    for (const atOnce of [1, 16, 64]) {
      const changes = (options.quick ? 0.05 : 1) * (atOnce === 1 ? 1_000 : 4_000)
      options.note(`${atOnce} at a time, ${chunks} rounds of ${changes} changes, sides in turn`)
      rows.push(...(await measure({ url: store.secretUrl, bareUrl }, { atOnce, changes, chunks })))
    }
    return rows
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

type Size = { readonly atOnce: number; readonly changes: number; readonly chunks: number }
type Urls = { readonly url: string; readonly bareUrl: string }

async function measure({ url, bareUrl }: Urls, { atOnce, changes, chunks }: Size): Promise<readonly Row[]> {
  const log = createLogger('silent')
  const connections = { url, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, log }
  const db = createDatabase(createPool({ ...connections, maxConnections: atOnce }))
  const sequencerDb = createDatabase(createPool({ ...connections, maxConnections: 2 }))
  const bare = new pg.Pool({ connectionString: bareUrl, options: '-c search_path=tidegate', max: atOnce })
  const signer = openSignerKey({ name: 'tidegate/bench', secretPkcs8: generateSignerKey('tidegate/bench').secretPkcs8 })
  const { integrate } = createSequencer({
    db: sequencerDb,
    runtime: systemRuntime,
    signing: async () => ({ current: signer }),
  })
  /** As the server does it: what came meanwhile waits for the next time. */
  const pass = async (): Promise<void> => {
    while ((await integrate()) === sequencerBatch);
  }
  const drain = async (): Promise<void> => {
    while ((await integrate()) > 0);
  }
  try {
    await append(db, { changes: atOnce, atOnce })
    const template = await readTemplate(url)
    await insertBare(bare, template, { changes: atOnce, atOnce })
    await drain()
    const sides = {
      bare: () => insertBare(bare, template, { changes, atOnce }),
      appended: () => append(db, { changes, atOnce }),
      integrated: () => appendAndIntegrate(db, { pass, drain }, { changes, atOnce }),
    }
    const perSecond: Record<keyof typeof sides, number[]> = { bare: [], appended: [], integrated: [] }
    for (const chunk of numbers(chunks)) {
      for (const name of turned(Object.keys(sides) as (keyof typeof sides)[], chunk)) {
        const begun = performance.now()
        await sides[name]()
        perSecond[name].push((changes * draftsOf().length * 1_000) / (performance.now() - begun))
        // What was only appended is not to be a burden to the next side.
        await drain()
      }
    }
    const base = medianOf(`bare inserts, ${atOnce} at a time: entries`, perSecond.bare, 'per s')
    return [
      base,
      against(medianOf(`appended, ${atOnce} at a time: entries`, perSecond.appended, 'per s'), base),
      against(medianOf(`appended and integrated, ${atOnce} at a time: entries`, perSecond.integrated, 'per s'), base, {
        atLeast: 0.6,
      }),
    ]
  } finally {
    await Promise.all([db.destroy(), sequencerDb.destroy(), bare.end()])
  }
}

type Work = { readonly changes: number; readonly atOnce: number }

/** The three entries of an auto-approved request: what most changes leave. */
function draftsOf(): readonly EntryDraft[] {
  const at = systemRuntime.now()
  const request = newId(systemRuntime, 'request')
  const grant = newId(systemRuntime, 'grant')
  const decision = newId(systemRuntime, 'decision')
  const principal = 'user:engineer-1'
  const asked = { role: 'orders-db/readonly', principal, durationSeconds: 900 }
  const answer = {
    decision,
    outcome: 'permit',
    policies: ['engineers-read'],
    obligations: [],
    policyVersion: 'c'.repeat(64),
    signals: [],
  }
  const filed = { ...asked, reason: 'Look into order 4711 for a customer', ...answer }
  return [
    { type: 'request.filed', at, request, fields: filed },
    { type: 'request.approved', at, request, grant, fields: { by: 'policy', decision, policies: ['engineers-read'] } },
    { type: 'grant.created', at, request, grant, fields: { ...asked, activateBy: new Date(at).toISOString() } },
  ]
}

async function append(db: Database, { changes, atOnce }: Work): Promise<void> {
  await inParallel(numbers(changes), atOnce, () =>
    change({ db, runtime: systemRuntime }, async ({ record }) => record(...draftsOf())),
  )
}

type Sequencing = Readonly<Record<'pass' | 'drain', () => Promise<void>>>

/** The sequencer works while entries come, as in the server; the end is when all of them are in the tree. */
async function appendAndIntegrate(db: Database, { pass, drain }: Sequencing, work: Work): Promise<void> {
  const over = new AbortController()
  const sequencing = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await pass()
      // Woken by the end: nobody waits for a pause that is under way.
      await delay(gatherMs, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const running = sequencing()
  await append(db, work)
  over.abort()
  await running
  await drain()
}

type Bare = { readonly entries: readonly BareRow[]; readonly disclosures: readonly BareRow[] }
type BareRow = Readonly<Record<string, unknown>>

/** The rows that one such change left. */
async function readTemplate(url: string): Promise<Bare> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=tidegate' })
  await client.connect()
  const read = async (text: string): Promise<BareRow[]> => (await client.query<BareRow>(text)).rows
  const last = '(select request from audit_entry order by serial desc limit 1)'
  const entries = await read(`select * from audit_entry where request = ${last} order by serial`)
  const disclosures = await read(
    `select d.entry, d.path, d.salt, d.value::text, d.subject
     from audit_disclosure d join audit_entry e on e.id = d.entry where e.request = ${last}`,
  )
  await client.end()
  return { entries, disclosures }
}

/** Prepared once, with the values as they are: no canonical form, no commitments, no hashes, nothing of ours. */
const bareStatement = {
  name: 'bare',
  text: `
    with entries as (
      insert into audit_entry (id, type, at, request, grant_id, body)
      select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[])
    )
    insert into audit_disclosure (entry, path, salt, value, subject)
    select * from unnest($7::text[], $8::text[], $9::bytea[], $10::jsonb[], $11::text[])`,
}

async function insertBare(pool: pg.Pool, { entries, disclosures }: Bare, { changes, atOnce }: Work): Promise<void> {
  const column = (rows: readonly BareRow[], name: string): unknown[] => rows.map((row) => row[name])
  await inParallel(numbers(changes), atOnce, async () => {
    const mark = randomBytes(13).toString('hex')
    const ids = new Map(entries.map(({ id }, i) => [id, `ent_${mark}${i}`]))
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query({
        ...bareStatement,
        values: [
          [...ids.values()],
          ...['type', 'at', 'request', 'grant_id', 'body'].map((name) => column(entries, name)),
          disclosures.map(({ entry }) => ids.get(entry)),
          ...['path', 'salt', 'value', 'subject'].map((name) => column(disclosures, name)),
        ],
      })
      await client.query('commit')
    } finally {
      client.release()
    }
  })
}

const batch = 4_096

async function proving({ rounds, quick, note }: BenchOptions): Promise<readonly Row[]> {
  const size = quick ? 100_000 : 1_000_000
  const count = rounds === undefined ? 2_000 : rounds * 100
  note(`growing a log of ${size}`)
  const tiles = new Map<string, Uint8Array>()
  let edge = emptyEdge
  let root: Hash = new Uint8Array()
  const begun = performance.now()
  while (edge.size < size) {
    const leaves = numbers(Math.min(batch, size - edge.size)).map((i) => leafOf(edge.size + i))
    const growth = growTree(edge, leaves)
    for (const { level, index, hashes } of growth.tiles) tiles.set(`${level}/${index}`, hashes)
    edge = growth.edge
    root = growth.root
  }
  const grownMs = performance.now() - begun
  const readTile: TileReader = async ({ level, index }) => tiles.get(`${level}/${index}`)
  const made: number[] = []
  const verified: number[] = []
  const hashed: number[] = []
  for (const n of numbers(count)) {
    const index = (n * 611_953) % size
    const leaf = leafOf(index)
    const start = performance.now()
    const proof = await inclusionProof({ index, size }, readTile)
    const proved = performance.now()
    const ok = verifyInclusion({ index, leaf, proof, tree: { size, root } })
    const checked = performance.now()
    let bare = leaf
    for (const sibling of proof) bare = nodeHash(bare, sibling)
    hashed.push((performance.now() - checked) * 1_000)
    made.push((proved - start) * 1_000)
    verified.push((checked - proved) * 1_000)
    if (!ok) throw new Error(`The proof of ${index} does not verify.`)
  }
  const bare = rowOf(`the hashes alone that a proof in a log of ${size} takes`, hashed, 'µs')
  return [
    bare,
    against(rowOf('verifying an inclusion proof', verified, 'µs'), bare),
    against(rowOf('making it, tiles in memory', made, 'µs'), bare),
    medianOf('growing the tree: entries', [(size * 1_000) / grownMs], 'per s'),
  ]
}

const leafOf = (index: number): Hash => leafHash(Buffer.from(`entry ${index}`))
