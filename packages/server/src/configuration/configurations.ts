/** The configurations in the store, parsed. A version never changes, so each is parsed once. */

import type { ConnectorKind } from '@tidegate/connectors'
import type { Reader } from '../store/database.ts'
import { parseConfiguration } from './parse.ts'
import type { SessionRules } from './session-rules.ts'
import type { Snapshot } from './snapshot.ts'

export type Configurations = {
  /** The one in force as the reader's transaction sees it. */
  readonly current: (reader: Reader) => Promise<Snapshot>
  readonly at: (reader: Reader, version: number) => Promise<Snapshot>
}

/** How many parsed versions are kept: the one in force, and those that grants still close under. */
const kept = 4

export function createConfigurations(
  kinds: ReadonlyMap<string, ConnectorKind>,
  sessionRules?: SessionRules,
): Configurations {
  const parsed = new Map<number, Snapshot>()

  const at = async (reader: Reader, version: number): Promise<Snapshot> => {
    const known = parsed.get(version)
    if (known) {
      parsed.delete(version)
      parsed.set(version, known)
      return known
    }
    const snapshot = parse(await readFiles(reader, version), version)
    parsed.set(version, snapshot)
    for (const oldest of parsed.keys()) {
      if (parsed.size <= kept) break
      parsed.delete(oldest)
    }
    return snapshot
  }

  const parse = (files: Snapshot['files'], version: number): Snapshot => {
    const result = parseConfiguration(files, { version, kinds, sessionRules })
    if (result.ok) return result.snapshot
    // It was valid when it was applied: another version of Tidegate reads it otherwise. Nothing may be decided by it.
    const first = result.problems[0]
    throw new Error(
      `Configuration ${version} cannot be read by this version of Tidegate: ${first?.field} ${first?.message}`,
    )
  }

  return {
    at,
    current: async (reader) => {
      const row = await reader
        .selectFrom('configurationVersion')
        .select(({ fn }) => fn.max('version').as('version'))
        .executeTakeFirst()
      return at(reader, row?.version ?? 0)
    },
  }
}

async function readFiles(reader: Reader, version: number): Promise<Snapshot['files']> {
  if (version === 0) return []
  const row = await reader
    .selectFrom('configurationVersion')
    .select('files')
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  return row.files
}
