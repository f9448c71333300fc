/** `tidegate audit tail` */

import type { Client } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { withInterruption } from '../interruption.ts'
import { limits, patience } from '../limits.ts'
import { collect } from '../pages.ts'
import { connectToServer, isTransient } from '../server.ts'
import { text, wholeNumber } from '../values.ts'
import type { AuditEntry } from '../words/entry.ts'
import { entryLine } from '../words/entry.ts'

type Filter = {
  readonly type: string | undefined
  readonly grant: string | undefined
  readonly request: string | undefined
}

export const auditTail = defineCommand({
  name: ['audit', 'tail'],
  summary: 'The latest entries of the audit log, oldest first',
  details: [
    'Personal data is shown as long as it has not been erased; after that its place says (sealed). With --output json each entry is one line.',
  ],
  options: {
    follow: { about: 'Go on with new entries as they come, until Ctrl-C.', short: '-f' },
    type: { about: 'Only of this type, such as grant.ended.', value: text('TYPE') },
    grant: { about: 'Only about this grant.', value: text('GRANT') },
    request: { about: 'Only about this request.', value: text('REQUEST') },
    lines: {
      about: `How many entries to begin with, at most ${limits.listMax}.`,
      short: '-n',
      value: wholeNumber('N', { min: 1, max: limits.listMax }),
      default: String(limits.tailDefault),
    },
  },
  examples: [
    { line: 'tidegate audit tail -f', about: 'Watch it' },
    { line: 'tidegate audit tail --grant grt_01j… -n 100', about: 'The story of a grant' },
  ],
  run: async (invocation, { follow, type, grant, request, lines }) => {
    const client = await connectToServer(invocation)
    const filter = { type, grant, request }
    const { items } = await collect(lines, (paging) => client.listEntries({ ...filter, ...paging }))
    print(invocation, items.toReversed())
    if (!follow) return 'ok'
    return withInterruption(invocation, async ({ signal }) => {
      let last = items[0]?.id
      while (!signal.aborted && !invocation.stdout.destroyed) {
        await invocation.sleep(patience.followMs, signal)
        const fresh = await entriesSince(client, last, filter)
        print(invocation, fresh)
        last = fresh.at(-1)?.id ?? last
      }
      return 'ok'
    })
  },
})

const print = (invocation: Invocation, entries: readonly AuditEntry[]): void => {
  for (const entry of entries) invocation.out.item(entry, () => [entryLine(invocation, entry)])
}

/** What came after the entry with this id, oldest first. A server that is away for a while has nothing new. */
async function entriesSince(client: Client, last: string | undefined, filter: Filter): Promise<readonly AuditEntry[]> {
  const fresh: AuditEntry[] = []
  let cursor: string | undefined
  try {
    do {
      const page: { readonly items: readonly AuditEntry[]; readonly next?: string | undefined } =
        await client.listEntries({ ...filter, cursor })
      const seen = page.items.findIndex(({ id }) => id === last)
      fresh.push(...(seen < 0 ? page.items : page.items.slice(0, seen)))
      cursor = seen < 0 ? page.next : undefined
    } while (cursor !== undefined && fresh.length < limits.listMax)
  } catch (error) {
    if (!isTransient(error)) throw error
    return []
  }
  return fresh.toReversed()
}
