/** Writes entries, in the transaction of the change they tell of. */

import type { JsonValue, LogEntry } from '@tidegate/audit'
import { commit, encodeEntry } from '@tidegate/audit'
import type { GrantId, Instant, RequestId } from '@tidegate/core'
import { formatInstant } from '@tidegate/core'
import { sql } from 'kysely'
import type { Runtime } from '../runtime.ts'
import { newId } from '../runtime.ts'
import type { Tx } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import type { EntryShape, EntryType } from './entry-types.ts'
import { entryTypes } from './entry-types.ts'

export type EntryDraft = {
  readonly type: EntryType
  readonly at: Instant
  readonly request?: RequestId
  readonly grant?: GrantId
  /** Fields of the type's `open` and `personal`; an absent or undefined one is left out. */
  readonly fields: Readonly<Record<string, JsonValue | undefined>>
}

type Sealed = {
  readonly id: string
  readonly draft: EntryDraft
  readonly body: Uint8Array
  readonly disclosures: readonly { path: string; salt: Uint8Array; value: JsonValue; subject: string | null }[]
}

const saltBytes = 16

export async function appendEntries(tx: Tx, runtime: Runtime, drafts: readonly EntryDraft[]): Promise<void> {
  if (drafts.length === 0) return
  const sealed = drafts.map((draft) => seal(draft, runtime))
  const disclosures = sealed.flatMap(({ id, disclosures: list }) => list.map((one) => ({ entry: id, ...one })))
  // One statement for both: the round trip is most of what an entry costs.
  await sql`
    with entries as (
      insert into audit_entry (id, type, at, request, grant_id, body)
      select * from unnest(
        ${sealed.map(({ id }) => id)}::text[],
        ${sealed.map(({ draft }) => draft.type)}::text[],
        ${sealed.map(({ draft }) => instantParam(draft.at))}::timestamptz[],
        ${sealed.map(({ draft }) => draft.request ?? null)}::text[],
        ${sealed.map(({ draft }) => draft.grant ?? null)}::text[],
        ${sealed.map(({ body }) => Buffer.from(body))}::bytea[]
      )
    )
    insert into audit_disclosure (entry, path, salt, value, subject)
    select * from unnest(
      ${disclosures.map(({ entry }) => entry)}::text[],
      ${disclosures.map(({ path }) => path)}::text[],
      ${disclosures.map(({ salt }) => Buffer.from(salt))}::bytea[],
      ${disclosures.map(({ value }) => JSON.stringify(value))}::jsonb[],
      ${disclosures.map(({ subject }) => subject)}::text[]
    )`.execute(tx)
}

function seal(draft: EntryDraft, runtime: Runtime): Sealed {
  const shape: EntryShape = entryTypes[draft.type]
  const entry: Record<string, JsonValue> = {}
  const disclosures: Sealed['disclosures'][number][] = []
  for (const [name, value] of Object.entries(draft.fields)) {
    if (value === undefined) continue
    if (shape.open.includes(name)) {
      entry[name] = value
    } else if (Object.hasOwn(shape.personal, name)) {
      const salt = runtime.random(saltBytes)
      entry[name] = commit(value, salt)
      const owner = draft.fields[shape.personal[name] as string]
      disclosures.push({ path: `/${name}`, salt, value, subject: typeof owner === 'string' ? owner : null })
    } else {
      throw new Error(`The entry type ${draft.type} has no field ${name}.`)
    }
  }
  const id = newId(runtime, 'entry')
  const references = { ...(draft.request && { request: draft.request }), ...(draft.grant && { grant: draft.grant }) }
  const whole: LogEntry = { v: 1, id, type: draft.type, at: formatInstant(draft.at), ...references, ...entry }
  return { id, draft, body: encodeEntry(whole), disclosures }
}
