/**
 * The PostgreSQL gateway beside what else could stand there: nothing, a bare relay in the same language, and PgBouncer,
 * which records and judges nothing.
 */

import { ending } from './gateway-ends.ts'
import { idling } from './gateway-idle.ts'
import { masking, overTls } from './gateway-masked.ts'
import { revoking } from './gateway-revokes.ts'
import { setUpGateway } from './gateway-stand.ts'
import { connecting, copying, transactions } from './gateway-traffic.ts'
import type { Bench, Row } from './harness.ts'

export const gateway: Bench = {
  name: 'gateway',
  about: 'PostgreSQL through the gateway: recorded, guarded, with a deadline',
  runs: 'named',
  async run(options) {
    const stand = await setUpGateway(options)
    const { folder, pgbench, psql } = stand
    try {
      const rows: Row[] = []
      if (pgbench !== undefined) {
        rows.push(...(await transactions(stand, pgbench, options)))
        rows.push(...(await connecting(stand, pgbench, options)))
        rows.push(...(await overTls(stand, pgbench, options)))
      }
      rows.push(...(await masking(stand, pgbench, options)))
      if (psql !== undefined) rows.push(...(await copying(stand, psql, options)))
      rows.push(...(await ending(stand, options)))
      rows.push(...(await revoking(options)))
      rows.push(...(await idling(folder, options)))
      return rows
    } finally {
      await stand.close()
    }
  },
}
