/**
 * The log, published: read-only, for anyone, in the layout of C2SP tlog-tiles under `/log/`. It holds no personal data
 * in clear. Full tiles never change and may be cached for ever.
 */

import { ApiError } from '@tidegate/api'
import { checkpointPath, handoversPath, parseResourcePath } from '@tidegate/audit'
import type { FastifyInstance } from 'fastify'
import { verifierKeyOf } from '../log/log-keys.ts'
import { publishedLog } from '../log/published.ts'
import type { Database } from '../store/database.ts'

export function registerLog(app: FastifyInstance, db: Database): void {
  const source = publishedLog(db)
  app.get('/log/key', async (_request, reply) => {
    const verifierKey = await verifierKeyOf(db)
    return reply.type('text/plain; charset=utf-8').send(`${verifierKey}\n`)
  })
  app.get<{ Params: { '*': string } }>('/log/*', async (request, reply) => {
    const path = request.params['*']
    const bytes = parseResourcePath(path) ? await source.read(path) : undefined
    if (!bytes) throw new ApiError('not-found')
    const moving = path === checkpointPath || path === handoversPath
    void reply.header('cache-control', moving ? 'no-store' : 'public, max-age=31536000, immutable')
    void reply.type(moving ? 'text/plain; charset=utf-8' : 'application/octet-stream')
    return reply.send(Buffer.from(bytes))
  })
}
