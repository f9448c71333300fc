/**
 * Our own small authorization server. Programs call the token endpoint; a browser is sent to the pages, where a person
 * who is signed in says whether a command line may act as them.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LoginId } from '@tidegate/core'
import {
  authorizationParameters,
  authorizePath,
  backTo,
  issueCode,
  readAuthorization,
} from '../identity/oauth/authorize.ts'
import type { Authorization } from '../identity/oauth/authorize.ts'
import { isMet } from '../identity/oauth/demand.ts'
import { askByDevice, devicePath, recordRefusal } from '../identity/oauth/device-authorization.ts'
import { OAuthError, oauthErrors } from '../identity/oauth/errors.ts'
import { readForm } from '../identity/oauth/form.ts'
import type { OAuthDeps, TokenRequest } from '../identity/oauth/grant-type.ts'
import { metadataOf, metadataPath } from '../identity/oauth/metadata.ts'
import { makeNonce } from '../identity/oauth/proof-nonce.ts'
import { revocationPath, revokeToken } from '../identity/oauth/revocation.ts'
import { answerToken, tokenPath } from '../identity/oauth/token-endpoint.ts'
import { change } from '../store/change.ts'
import { registerDevice } from './device-routes.ts'
import { acceptForms, clientOf, formOf } from './forms.ts'
import { strangerLimits } from './limits.ts'
import { allowPage, notOursPage } from './oauth-pages.ts'
import { countStranger } from './operations-routes.ts'
import { send } from './pages.ts'
import type { SignedIn } from './page-scope.ts'
import { answering, signedIn } from './page-scope.ts'
import { stepUpPath } from './step-up-routes.ts'
import type { Throttle } from './throttle.ts'
import { createThrottle } from './throttle.ts'

export function registerOAuth(app: FastifyInstance, deps: OAuthDeps): void {
  const strangers = createThrottle({ limits: strangerLimits })
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request) => countStranger(strangers, request))
    acceptForms(scope)
    scope.get(metadataPath, () => metadataOf(deps.publicUrl()))
    const programs: Record<string, (asked: Omit<TokenRequest, 'keyThumbprint'>) => Promise<unknown>> = {
      [tokenPath]: (asked) => answerToken(deps, asked),
      [devicePath]: (asked) => askByDevice(deps, asked),
      [revocationPath]: (asked) => revokeToken(deps, asked).then(() => ({})),
    }
    for (const [path, answer] of Object.entries(programs))
      scope.post(path, (request, reply) => program({ deps, strangers }, { request, reply, answer }))
    scope.get(authorizePath, (request, reply) => showAuthorization(deps, request, reply))
    registerDevice(scope, deps)
    scope.post(authorizePath, (request, reply) => answerAuthorization(deps, request, reply))
    done()
  })
}

const askedOf = (request: FastifyRequest) => ({
  form: readForm(formOf(request)),
  headers: request.headers,
  client: clientOf(request),
})

type Answering = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly answer: (asked: ReturnType<typeof askedOf>) => Promise<unknown>
}

type At = { readonly deps: OAuthDeps; readonly strangers: Throttle }

/** Refusals in the words of RFC 6749. Whoever is answered is a stranger no more: their key or code was right. */
async function program({ deps, strangers }: At, { request, reply, answer }: Answering): Promise<unknown> {
  try {
    const answered = await answer(askedOf(request))
    if (request.url === tokenPath) strangers.trust(request.ip)
    return answered
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, message, cause } = error
    if (cause !== undefined) request.log.warn({ err: cause }, 'a token was refused')
    if (code === 'use_dpop_nonce')
      void reply.header('dpop-nonce', makeNonce({ key: deps.key, now: deps.runtime.now() }))
    return reply.code(oauthErrors[code]).send({ error: code, error_description: message })
  }
}

async function showAuthorization(deps: OAuthDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const asked = readAuthorization(new URL(request.url, deps.publicUrl()).searchParams)
  if (asked.is === 'not-ours') return send(reply.code(400), notOursPage)
  if (asked.is === 'refused') return reply.redirect(backTo(asked.back, { error: asked.error }, deps.publicUrl()), 303)
  const person = await signedIn(deps, request, reply)
  if (!person) return reply
  const { authorization } = asked
  const proveFirst = stepUpFor(deps, authorization, person)
  if (proveFirst !== undefined) return reply.redirect(proveFirst, 303)
  const now = deps.runtime.now()
  return send(reply, allowPage({ authorization, caller: person.caller, address: request.ip, now }))
}

/** Where they prove what is asked for, and come back from. `undefined`: they have. */
function stepUpFor({ runtime }: OAuthDeps, authorization: Authorization, { caller }: SignedIn): string | undefined {
  const { demand } = authorization
  if (!demand || isMet(caller.authentication, demand, runtime.now())) return undefined
  const query = new URLSearchParams(authorizationParameters(authorization)).toString()
  return stepUpPath(demand.need, `${authorizePath}?${query}`)
}

async function answerAuthorization(
  deps: OAuthDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const person = await answering(deps, request, reply)
  const form = formOf(request)
  const asked = readAuthorization(form)
  if (asked.is !== 'good') return send(reply.code(400), notOursPage)
  const { authorization } = asked
  const allowed = form.get('answer') === 'allow'
  const proveFirst = allowed ? stepUpFor(deps, authorization, person) : undefined
  if (proveFirst !== undefined) return reply.redirect(proveFirst, 303)
  const { user, login } = person
  const said = allowed ? { code: await letIn(deps, authorization, login) } : await refuse(deps, user, { request })
  return reply.redirect(backTo(authorization, said, deps.publicUrl()), 303)
}

const letIn = (deps: OAuthDeps, authorization: Authorization, login: LoginId): Promise<string> =>
  change(deps, (unit) => issueCode(unit, { authorization, login }))

async function refuse(
  deps: OAuthDeps,
  user: string,
  { request }: { readonly request: FastifyRequest },
): Promise<{ readonly error: string }> {
  await change(deps, async (unit) => recordRefusal(unit, { user, asker: clientOf(request), by: 'browser' }))
  return { error: 'access_denied' }
}
