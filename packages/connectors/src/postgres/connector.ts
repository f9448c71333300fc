/** The verbs for one PostgreSQL target, over one pool of connections. */

import type { Connector, Target } from '../contract.ts'
import { align } from './align.ts'
import type { OpenClient } from './client.ts'
import { createClose } from './close.ts'
import type { PostgresConfig } from './config.ts'
import { find } from './find.ts'
import { moveEnd } from './move-end.ts'
import { createOpen } from './open.ts'
import { createPool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { survey } from './survey.ts'

/** @param openClient how connections are made; tests cut them here */
export function createPostgresConnector(target: Target<PostgresConfig, Privileges>, openClient: OpenClient): Connector {
  const pool = createPool(openClient, target.limits.maxConnections)
  return {
    align: () => align(target, pool),
    open: createOpen(target, pool),
    moveEnd: (lease) => moveEnd(target, pool, lease),
    close: createClose(target, pool),
    find: () => find(target, pool),
    survey: () => survey(target, pool),
    end: () => pool.end(),
  }
}
