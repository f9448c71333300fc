/**
 * What is made once for a store: the key check, the log's signing key, and the first administrator. On every later
 * start the same function reads it back, and refuses a master key that is not the one it was made with.
 */

import type { SignerKey } from '@tidegate/audit'
import { generateSignerKey, openSignerKey } from '@tidegate/audit'
import { after, days, principalKey } from '@tidegate/core'
import { sql } from 'kysely'
import { firstAdministrator } from './identity/principals.ts'
import { hashToken, makeToken } from './identity/tokens.ts'
import type { Runtime } from './runtime.ts'
import { newId } from './runtime.ts'
import type { MasterKey } from './secrets/envelope.ts'
import { open, seal } from './secrets/envelope.ts'
import { StartRefusal } from './settings/start-refusal.ts'
import type { Unit } from './store/change.ts'
import { change } from './store/change.ts'
import type { Database } from './store/database.ts'
import { instantParam } from './store/database.ts'

export type Installation = {
  readonly signer: SignerKey
  /** Shown once, at the first start. Absent on every later one. */
  readonly firstToken?: string
}

const purposes = { check: 'key-check', log: 'log-signing-key' } as const
const known = Buffer.from('tidegate')
const installationLock = 7_243_006
const firstTokenLasts = days(90)

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly key: MasterKey }

export async function openInstallation(deps: Deps): Promise<Installation> {
  return change(deps, async (unit) => {
    await sql`select pg_advisory_xact_lock(${installationLock})`.execute(unit.tx)
    const row = await unit.tx.selectFrom('installation').selectAll().executeTakeFirst()
    if (!row) return create(unit, deps.key)
    checkKey(row.keyCheck, deps.key)
    const secretPkcs8 = open(row.logSigningKey, { key: deps.key, purpose: purposes.log })
    return { signer: openSignerKey({ name: row.logOrigin, secretPkcs8 }) }
  })
}

function checkKey(sealed: Buffer, key: MasterKey): void {
  try {
    if (open(sealed, { key, purpose: purposes.check }).equals(known)) return
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
  const { secretPkcs8, vkey } = generateSignerKey(origin)
  const sealing = { key, random: runtime.random }
  await tx
    .insertInto('installation')
    .values({
      createdAt: instantParam(now),
      keyCheck: seal(known, { ...sealing, purpose: purposes.check }),
      logOrigin: origin,
      logSigningKey: seal(secretPkcs8, { ...sealing, purpose: purposes.log }),
      logVerifierKey: vkey,
    })
    .execute()
  const firstToken = makeToken(runtime.random)
  await tx
    .insertInto('apiToken')
    .values({
      id: newId(runtime, 'token'),
      principal: principalKey(firstAdministrator),
      hash: hashToken(firstToken),
      createdAt: instantParam(now),
      expiresAt: instantParam(after(now, firstTokenLasts)),
      revokedAt: null,
    })
    .execute()
  unit.record({ type: 'installation.created', at: now, fields: {} })
  return { signer: openSignerKey({ name: origin, secretPkcs8 }), firstToken }
}
