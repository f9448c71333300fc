import type { Output } from '@tidegate/api'
import { formatInstant, principalKey } from '@tidegate/core'
import type { LogKeyRow } from '../log/log-keys.ts'
import { logKeys } from '../log/log-keys.ts'
import { nameNextKey } from '../log/signing.ts'
import type { KeyId } from '../secrets/keys.ts'
import type { Sealed } from '../secrets/reseal.ts'
import { countSealed } from '../secrets/reseal.ts'
import type { Reader } from '../store/database.ts'
import { keysOfServers } from '../store/hints.ts'
import type { Call, HandlersOf } from './handler.ts'

export const keyHandlers: HandlersOf<'listKeys' | 'changeLogKey'> = {
  listKeys: { kind: 'plain', run: listKeys },
  changeLogKey: {
    kind: 'change',
    run: ({ services: { key }, caller, input: { reason } }, unit) =>
      nameNextKey(unit, { key, by: principalKey(caller.principal), reason }),
  },
}

type MasterKeyView = Output<'listKeys'>['master'][number]

async function listKeys({ services: { db, key } }: Call<'listKeys'>): Promise<Output<'listKeys'>> {
  const [known, sealed, servers, log] = await Promise.all([
    knownKeys(db),
    countSealed(db),
    keysOfServers(db),
    logKeys(db),
  ])
  const ids = new Set<string>([...known.keys(), ...sealed.map((one) => one.key), ...key.keys.map(({ id }) => id)])
  const master = [...ids].map((id) => ({
    id,
    ...(known.get(id) ?? { seals: false }),
    sealed: sealedWith(sealed, id as KeyId),
    servers: servers.filter((keys) => keys.includes(id)).length,
  }))
  return { servers: servers.length, master, log: log.map(logKeyView) }
}

const logKeyView = ({ verifierKey, since, lastSize }: LogKeyRow): Output<'listKeys'>['log'][number] => ({
  verifierKey,
  since: formatInstant(since),
  ...(lastSize !== null && { lastSize }),
})

type Known = Pick<MasterKeyView, 'seals' | 'since' | 'until' | 'unusedSince'>

/** Those of the store, the earliest first. */
async function knownKeys(reader: Reader): Promise<ReadonlyMap<string, Known>> {
  const rows = await reader.selectFrom('masterKey').selectAll().orderBy('since').orderBy('until').execute()
  return new Map(
    rows.map(({ id, since, until, unusedAt }) => [
      id,
      {
        seals: until === null,
        since: formatInstant(since),
        ...(until !== null && { until: formatInstant(until) }),
        ...(unusedAt !== null && { unusedSince: formatInstant(unusedAt) }),
      },
    ]),
  )
}

const sealedWith = (sealed: readonly Sealed[], id: KeyId): MasterKeyView['sealed'] =>
  sealed.filter(({ key }) => key === id).map(({ what, count }) => ({ what: what.about, count }))
