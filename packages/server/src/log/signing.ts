/**
 * Which key signs the log. One does, until another is named by an entry; the checkpoint that first covers this entry is
 * signed by both, is the last of the one before, and with it that one is gone: its secret is kept nowhere.
 */

import type { SignerKey } from '@tidegate/audit'
import { generateSignerKey, keyChangeType, openSignerKey } from '@tidegate/audit'
import { ApiError } from '@tidegate/api'
import { open, seal } from '../secrets/envelope.ts'
import type { MasterKey } from '../secrets/keys.ts'
import type { Unit } from '../store/change.ts'
import type { Reader, Tx } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import { keysThatSign } from './log-keys.ts'

export type Signing = {
  readonly current: SignerKey
  /** Named already, and not yet handed over to. */
  readonly next?: SignerKey
}

export type ReadSigning = (reader: Reader) => Promise<Signing>

/** One key's secret put in another's place does not open. */
export const logKeyPurpose = (verifierKey: string): string => `log-signing-key:${verifierKey}`

/** Asked of the store each time, since any server may change it; a key that was opened once is known by its name. */
export function createSigning(key: MasterKey): ReadSigning {
  const opened = new Map<string, SignerKey>()
  const signerOf = ({ verifierKey, signingKey }: { verifierKey: string; signingKey: Buffer }): SignerKey => {
    const known = opened.get(verifierKey)
    if (known) return known
    const secretPkcs8 = open(signingKey, { key, purpose: logKeyPurpose(verifierKey) })
    const signer = openSignerKey({ name: nameOf(verifierKey), secretPkcs8 })
    opened.set(verifierKey, signer)
    return signer
  }
  return async (reader) => {
    const rows = await keysThatSign(reader)
    for (const known of opened.keys()) if (!rows.some(({ verifierKey }) => verifierKey === known)) opened.delete(known)
    const [current, next] = rows.map(signerOf)
    if (!current) throw new Error('The log has no key that signs.')
    return { current, ...(next && { next }) }
  }
}

const nameOf = (verifierKey: string): string => verifierKey.slice(0, verifierKey.indexOf('+'))

type Making = { readonly number: number; readonly origin: string; readonly key: MasterKey }

/** @returns its verifier key */
export async function makeLogKey({ tx, now, runtime }: Unit, { number, origin, key }: Making): Promise<string> {
  const { secretPkcs8, vkey } = generateSignerKey(origin)
  const purpose = logKeyPurpose(vkey)
  const signingKey = seal(secretPkcs8, { key, random: runtime.random, purpose })
  const since = instantParam(now)
  await tx
    .insertInto('logKey')
    .values({ number, verifierKey: vkey, signingKey, since, namedAt: null, lastSize: null })
    .execute()
  return vkey
}

type Naming = { readonly key: MasterKey; readonly by: string; readonly reason: string }

/**
 * Names the next key, in the transaction that makes it: no checkpoint has the entry before the key is there.
 * @throws {ApiError} `key-change-under-way`
 */
export async function nameNextKey(unit: Unit, { key, by, reason }: Naming): Promise<{ from: string; to: string }> {
  // One at a time: whoever comes second sees what the first did.
  await unit.tx.selectFrom('installation').select('logOrigin').forUpdate().executeTakeFirstOrThrow()
  const rows = await unit.tx
    .selectFrom('logKey')
    .select(['number', 'verifierKey'])
    .where('lastSize', 'is', null)
    .orderBy('number')
    .forUpdate()
    .execute()
  const [current, next] = rows
  if (!current || next) throw new ApiError('key-change-under-way')
  const { verifierKey: from, number } = current
  const to = await makeLogKey(unit, { number: number + 1, origin: nameOf(from), key })
  unit.record({ type: keyChangeType, at: unit.now, fields: { from, to, by, reason } })
  return { from, to }
}

type Handing = {
  readonly from: SignerKey
  readonly to: SignerKey
  readonly size: number
  /** Where the entry stands that names the next. */
  readonly namedAt: number
}

/** In the transaction of the checkpoint that both have signed. */
export const handOver = (tx: Tx, { from, to, size, namedAt }: Handing): Promise<unknown> =>
  Promise.all([
    tx.updateTable('logKey').set({ signingKey: null, lastSize: size }).where('verifierKey', '=', from.vkey).execute(),
    tx.updateTable('logKey').set({ namedAt }).where('verifierKey', '=', to.vkey).execute(),
  ])
