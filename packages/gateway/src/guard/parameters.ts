/** What the session tells the target when it logs in, so that the guard and PostgreSQL mean the same. */

import type { GuardRules } from './rules.ts'

/** Start-up parameters for the target, over whatever the client sent. `RESET` goes back to these. */
export function startupParameters({ readOnly, searchPath }: GuardRules): Readonly<Record<string, string>> {
  return {
    // The wall behind the fence: PostgreSQL itself refuses what functions and rules would write.
    ...(readOnly === true && { default_transaction_read_only: 'on' }),
    ...(searchPath && { search_path: searchPath.map(quoted).join(', ') }),
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
