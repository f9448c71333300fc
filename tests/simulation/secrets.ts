/** Every secret that a history has: nothing but the one answer that hands it over may hold it. */

import { people, tokenOf } from './configuration.ts'
import type { World } from './world.ts'

const tokens = [...people.map((id) => `user:${id}`), 'service:ci', 'service:watch', 'agent:helper'].map(tokenOf)

/** Also of credentials that nobody was told of: whoever made them has died, or was not heard. */
export function noteSecrets({ targets, secrets }: World): void {
  for (const { memory } of targets.all()) for (const { secret } of memory.logins.values()) secrets.add(secret)
}

/** Where it is, in the words of `where`. */
export const secretsIn = ({ secrets }: World, text: string, where: string): string[] =>
  [...tokens, ...secrets].filter((secret) => text.includes(secret)).map(() => `a secret stands in ${where}`)

const tables = `
  select table_name as name from information_schema.tables
  where table_schema = current_schema() and table_type = 'BASE TABLE'`

/** Rows as text: whatever a column is called, and whatever its form. */
export async function secretsInStore(world: World): Promise<string[]> {
  const { admin } = world.store
  const found: string[] = []
  for (const { name } of (await admin.query<{ name: string }>(tables)).rows) {
    const { rows } = await admin.query<{ text: string }>(
      `select coalesce(string_agg(t::text, '|'), '') as text from ${name} t`,
    )
    found.push(...secretsIn(world, rows[0]?.text ?? '', `the table ${name}`))
  }
  return found
}
