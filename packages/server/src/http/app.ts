/** The HTTP side: routes from the table, the published log, health and metrics. */

import { ApiError, limits, openApiDocument, toProblem } from '@tidegate/api'
import Fastify, { LogController } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Identity } from '../identity/identity.ts'
import { handlers } from '../operations/handlers.ts'
import type { Services } from '../operations/handler.ts'
import type { Database } from '../store/database.ts'
import { challengeOf, createChallenge, schemeOf } from './challenge.ts'
import { toApiError } from './faults.ts'
import { oldestTls } from './certificate.ts'
import { registerFactors } from './factor-routes.ts'
import { registerLocal } from './local-routes.ts'
import { registerLog } from './log-routes.ts'
import { registerMetrics } from './metrics.ts'
import { registerOAuth } from './oauth-routes.ts'
import { registerOperations } from './operations-routes.ts'
import { registerScim } from './scim-routes.ts'
import type { OAuthDeps } from '../identity/oauth/grant-type.ts'
import type { SignInDeps } from './sign-in-routes.ts'
import { registerSignIn } from './sign-in-routes.ts'
import { registerStepUp } from './step-up-routes.ts'

export type AppDeps = {
  readonly services: Services
  readonly identity: Identity
  readonly people: SignInDeps & OAuthDeps
  readonly logger: Logger
  readonly version: string
  readonly metricsToken: string | undefined
  /** Whose `X-Forwarded-For` is believed. Absent: nobody's. */
  readonly proxies: readonly string[] | undefined
  /** `true` while the server takes work: false from the first moment of a stop. */
  readonly isReady: () => boolean
  readonly tls?: { readonly cert: string; readonly key: string }
}

export function createApp(deps: AppDeps): FastifyInstance {
  const { services, identity, logger, tls, proxies } = deps
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    // Room to spare: the schema refuses what is too long, and names the field.
    routerOptions: { maxParamLength: 8 * limits.idLength },
    // What the router cannot read never gets to a route, nor to the handler of errors.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply as unknown as FastifyReply),
    requestTimeout: 60_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: 'idle',
    // What comes in on an open connection during a stop is answered like any other: the store is still there for it.
    return503OnClosing: false,
    trustProxy: proxies === undefined ? false : [...proxies],
    genReqId: () => crypto.randomUUID(),
    ...(tls && { https: { cert: tls.cert, key: tls.key, minVersion: oldestTls } }),
  }) as unknown as FastifyInstance
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply))
  app.setNotFoundHandler(() => {
    throw new ApiError('not-found', { detail: 'There is no such path.' })
  })
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
  })
  registerMetrics(app, { db: services.db, runtime: services.runtime, token: deps.metricsToken })
  registerOperations(app, { services, identity, handlers, challenge: createChallenge(deps.people) })
  registerSignIn(app, deps.people)
  registerOAuth(app, deps.people)
  registerLocal(app, deps.people)
  registerStepUp(app, deps.people)
  registerFactors(app, deps.people)
  registerScim(app, deps.people)
  registerLog(app, services.db)
  registerHealth(app, services.db, deps.isReady)
  const document = openApiDocument(deps.version)
  app.get('/v1/openapi.json', () => document)
  return app
}

function registerHealth(app: FastifyInstance, db: Database, isReady: () => boolean): void {
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    if (!isReady()) throw new ApiError('unavailable', { detail: 'The server is stopping.' })
    await sql`select 1`.execute(db)
    return { status: 'ready' }
  })
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toApiError(error)
  const api = known ?? new ApiError('internal', { detail: `Look for ${request.id} in the server log.`, cause: error })
  if (!known) request.log.error({ err: error, reqId: request.id }, 'an operation failed')
  else if (known.code === 'unavailable')
    request.log.warn({ err: known.details.cause ?? known, reqId: request.id }, 'unavailable')
  const { retryAfterSeconds } = api.details
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds))
  const challenge = challengeOf(api, schemeOf(request.headers))
  if (challenge !== undefined) void reply.header('www-authenticate', challenge)
  const problem = toProblem(api)
  return reply.code(problem.status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem))
}
