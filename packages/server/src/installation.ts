/**
 * What is made once for a store: the key check and the log's signing key. On every later start the same function reads
 * it back, refuses keys that do not open all that is sealed, and lets a new one take the place of the one before.
 */

import { sql } from 'kysely'
import { createSigning, makeLogKey } from './log/signing.ts'
import type { Runtime } from './runtime.ts'
import { open, seal } from './secrets/envelope.ts'
import type { KeyId, MasterKey } from './secrets/keys.ts'
import { countSealed, storeKey } from './secrets/reseal.ts'
import { checkPurpose } from './secrets/sealed-values.ts'
import { StartRefusal } from './settings/start-refusal.ts'
import type { Unit } from './store/change.ts'
import { change } from './store/change.ts'
import type { Database } from './store/database.ts'
import { instantParam } from './store/database.ts'
import { keysOfServers } from './store/hints.ts'

/** What verifiers of the log need. */
export type Installation = { readonly verifierKey: string }

const known = Buffer.from('tidegate')
const installationLock = 7_243_006

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly key: MasterKey }

export async function openInstallation(deps: Deps): Promise<Installation> {
  return change(deps, async (unit) => {
    await sql`select pg_advisory_xact_lock(${installationLock})`.execute(unit.tx)
    const row = await unit.tx.selectFrom('installation').selectAll().executeTakeFirst()
    if (!row) return create(unit, deps.key)
    await settleKey(unit, deps.key)
    checkKey(row.keyCheck, deps.key)
    const { current } = await createSigning(deps.key)(unit.tx)
    return { verifierKey: current.vkey }
  })
}

/** The first key that was given seals from here on, if this store has not had it before; else the store's does. */
async function settleKey(unit: Unit, key: MasterKey): Promise<void> {
  const { tx } = unit
  const ours = await storeKey(tx)
  const used = (await countSealed(tx)).map((sealed) => sealed.key)
  for (const id of new Set([...(ours === undefined ? [] : [ours]), ...used]))
    if (!key.keys.some((one) => one.id === id)) throw missing(id)
  const [first] = key.keys
  const known = await tx.selectFrom('masterKey').select('id').where('id', '=', first.id).executeTakeFirst()
  if (known) return void (ours !== undefined && key.follow(ours))
  const others = (await keysOfServers(tx)).filter((keys) => !keys.includes(first.id))
  if (others.length > 0) throw unknownToOthers(first.id, others.length)
  await replaceKey(unit, { from: ours, to: first.id })
}

const missing = (id: KeyId): StartRefusal =>
  new StartRefusal(
    `What the store keeps is sealed with the master key ${id}, which is not the one that was given.`,
    'Give that key, behind a new one if there is one, in TIDEGATE_KEY or the key file. Without it what is sealed is lost.',
  )

const unknownToOthers = (id: KeyId, servers: number): StartRefusal =>
  new StartRefusal(
    `${servers === 1 ? 'Another server on this store was' : `${servers} other servers on this store were`} not given the master key ${id}, and could not open what it seals.`,
    'Give it to every server behind the key that they have, and restart them, before it comes first anywhere.',
  )

type Replacement = { readonly from: KeyId | undefined; readonly to: KeyId }

async function replaceKey({ tx, now, record }: Unit, { from, to }: Replacement): Promise<void> {
  const at = instantParam(now)
  await tx.updateTable('masterKey').set({ until: at }).where('until', 'is', null).execute()
  await tx.insertInto('masterKey').values({ id: to, since: at, until: null, unusedAt: null }).execute()
  record({ type: 'master-key.changed', at: now, fields: { from, to } })
}

function checkKey(sealed: Buffer, key: MasterKey): void {
  try {
    if (open(sealed, { key, purpose: checkPurpose }).equals(known)) return
  } catch {
    // Falls through to the refusal: which of key and bytes is wrong cannot be told.
  }
  throw new StartRefusal(
    'The master key is not the one this store was made with.',
    'Set TIDEGATE_KEY (or the key file) to the key of the first start. Without it what the store keeps sealed is lost.',
  )
}

async function create(unit: Unit, key: MasterKey): Promise<Installation> {
  const { tx, now, runtime } = unit
  const origin = `tidegate/${Buffer.from(runtime.random(8)).toString('hex')}`
  const keyCheck = seal(known, { key, random: runtime.random, purpose: checkPurpose })
  await tx
    .insertInto('installation')
    .values({ createdAt: instantParam(now), keyCheck, logOrigin: origin })
    .execute()
  const verifierKey = await makeLogKey(unit, { number: 1, origin, key })
  const at = instantParam(now)
  await tx.insertInto('masterKey').values({ id: key.sealing().id, since: at, until: null, unusedAt: null }).execute()
  unit.record({ type: 'installation.created', at: now, fields: {} })
  return { verifierKey }
}
