/** Agents that were killed: not there for anybody, whatever they hold, until they are restored. */

import type { Reader } from '../../store/database.ts'

/** @returns the ids of those that were. Asks the store only where there can be any */
export async function killedAmong(reader: Reader, agents: readonly string[]): Promise<ReadonlySet<string>> {
  if (agents.length === 0) return new Set()
  const rows = await reader.selectFrom('killedAgent').select('agent').where('agent', 'in', agents).execute()
  return new Set(rows.map(({ agent }) => agent))
}
