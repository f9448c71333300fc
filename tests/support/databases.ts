import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { withClient } from './clients.ts'

export interface TestDatabase {
  /** Of the cluster's superuser, with the password. */
  readonly url: string
  readonly connection: Connection
  /** Ends every session in the database and removes it. May be called again. */
  drop(): Promise<void>
}

export type ClusterKind = 'store' | 'target'

/** What a database is cloned from unless the test says otherwise. The store's template is migrated once per run. */
const templates = { store: 'tidegate_template', target: 'template1' } as const

/** A database of its own for one test, cloned from a template in some tens of milliseconds. */
export async function createTestDatabase(
  kind: ClusterKind,
  { template = templates[kind] }: { readonly template?: string } = {},
): Promise<TestDatabase> {
  const cluster = clusterOf(kind)
  const database = uniqueName('test')
  await withClient(cluster, (client) => client.query(`CREATE DATABASE ${database} TEMPLATE ${template}`))
  const connection = { ...cluster, database }
  return {
    url: secretUrlOf(connection),
    connection,
    async drop() {
      await withClient(cluster, (client) => client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`))
    },
  }
}

/** The superuser's connection to one of the run's two clusters. */
export function clusterOf(kind: ClusterKind): Connection {
  return inject(kind === 'store' ? 'storeCluster' : 'targetCluster')
}

/** Whoever makes roles there administers none of them, and may change all that are no superusers. */
export const isTargetBefore16 = (): boolean => inject('targetVersion') < 160_000

/** A name that no other test uses, and that needs no quotes in SQL. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString('hex')}`
}
