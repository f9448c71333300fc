import { Client } from 'pg'
import type { Connection } from '../../packages/server/src/embedded/connection.ts'

/** Runs `work` with a connection of its own, and closes it whatever came of the work. */
export async function withClient<T>(connection: Connection, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ ...connection })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
