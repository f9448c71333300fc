/** One call of a verb: its deadline, its connections, and whether it can still be said that nothing was changed. */

import type { Failure } from '../contract.ts'
import type { Row, TargetClient } from './client.ts'
import { failureOf, rolledBack } from './failure.ts'
import type { Pool } from './pool.ts'

export type Session = Pick<TargetClient, 'serverVersion' | 'noticesLeaving'> & {
  /** Reads; values are bound. */
  read(text: string, values: readonly unknown[]): Promise<readonly Row[]>
  /** Writes, all of the text in one transaction of its own. */
  write(text: string): Promise<void>
  /** Reads and writes in one transaction, rolled back if `work` throws. */
  transaction<T>(work: (within: Pick<Session, 'read' | 'write' | 'serverVersion'>) => Promise<T>): Promise<T>
}

export type Attempt = {
  /** Never inside another `on`: with a single connection allowed it would wait for itself. */
  on<T>(database: string, work: (session: Session) => Promise<T>): Promise<T>
}

export async function attempt<T>(
  { pool, timeoutMs, urgent = false }: { readonly pool: Pool; readonly timeoutMs: number; readonly urgent?: boolean },
  work: (attempt: Attempt) => Promise<T>,
): Promise<T | Failure> {
  const signal = AbortSignal.timeout(timeoutMs)
  const ledger: Ledger = { touched: false }
  try {
    return await work({
      on: (database, inSession) =>
        pool.use({ database, signal, urgent }, (client) => inSession(sessionOf(client, ledger))),
    })
  } catch (error) {
    // After an abort the error is that of a cut connection, which says less than why it was cut.
    return failureOf(signal.aborted ? signal.reason : error, !ledger.touched)
  }
}

/** `touched`: something was sent that may have changed the target. */
type Ledger = { touched: boolean }

function sessionOf(client: TargetClient, ledger: Ledger): Session {
  const { serverVersion, noticesLeaving } = client
  const read: Session['read'] = (text, values) => client.query(text, values)
  const write: Session['write'] = (text) => changing(ledger, () => client.query(text))
  return {
    serverVersion,
    noticesLeaving,
    read,
    write,
    async transaction(work) {
      let wrote = false
      await client.query('BEGIN')
      const result = await work({
        serverVersion,
        read,
        write: async (text) => {
          wrote = true
          await client.query(text)
        },
      })
      // Only the commit can change anything: what comes before it goes away with the connection.
      if (wrote) await changing(ledger, () => client.query('COMMIT'))
      else await client.query('COMMIT')
      return result
    },
  }
}

async function changing(ledger: Ledger, send: () => Promise<unknown>): Promise<void> {
  const before = ledger.touched
  ledger.touched = true
  try {
    await send()
  } catch (error) {
    if (rolledBack(error)) ledger.touched = before
    throw error
  }
}
