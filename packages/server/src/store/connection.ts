/**
 * What makes a connection to the store quick: statements that come often are parsed and planned once, and what is sent
 * in one turn of the event loop leaves in one write.
 */

import type pg from 'pg'

/** PostgreSQL keeps a plan of each on every connection. */
const mostNames = 150
/** Texts that come less often are not worth a plan: their lists have other lengths each time. */
const worthAName = 5
const mostTexts = 2_000

/** Of this process; the same on all its connections. */
export type Names = { readonly of: (text: string) => string | undefined }

export function createNames(): Names {
  const seen = new Map<string, number>()
  const names = new Map<string, string>()
  return {
    of(text) {
      const known = names.get(text)
      if (known !== undefined || names.size >= mostNames) return known
      const times = (seen.get(text) ?? 0) + 1
      if (seen.size >= mostTexts) seen.clear()
      seen.set(text, times)
      if (times < worthAName) return undefined
      seen.delete(text)
      const name = `tidegate_${names.size + 1}`
      names.set(text, name)
      return name
    },
  }
}

type Query = (query: string | pg.QueryConfig, values?: unknown[]) => Promise<pg.QueryResult>
type Stream = { readonly cork: () => void; readonly uncork: () => void; readonly destroy: () => void }

/** The result of a statement has another form since a newer version of Tidegate changed its table: it is planned anew. */
const isOutdatedPlan = (error: unknown): boolean => (error as { code?: unknown } | undefined)?.code === '0A000'

export function quicken(client: pg.PoolClient, names: Names): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Stream } }).connection
  const send = client.query.bind(client) as Query
  let corked = false
  const gather = (): void => {
    if (corked) return
    corked = true
    stream.cork()
    process.nextTick(() => {
      corked = false
      stream.uncork()
    })
  }
  const query: Query = (text, values) => {
    gather()
    const name = typeof text === 'string' && values && values.length > 0 ? names.of(text) : undefined
    if (typeof text !== 'string' || name === undefined) return send(text, values)
    const answer = send({ name, text, values: values ?? [] })
    answer.catch((error: unknown) => {
      if (isOutdatedPlan(error)) stream.destroy()
    })
    return answer
  }
  client.query = query as typeof client.query
}
