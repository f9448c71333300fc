/**
 * Our own small authorization server. Programs call the token endpoint; a browser is sent to the pages, where a person
 * who is signed in says whether a command line may act as them.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LoginId } from '@tidegate/core'
import { authorizePath, backTo, issueCode, readAuthorization } from '../identity/oauth/authorize.ts'
import type { Authorization } from '../identity/oauth/authorize.ts'
import { askByDevice, devicePath, recordRefusal } from '../identity/oauth/device-authorization.ts'
import { OAuthError, oauthErrors } from '../identity/oauth/errors.ts'
import { readForm } from '../identity/oauth/form.ts'
import type { OAuthDeps } from '../identity/oauth/grant-type.ts'
import { metadataOf, metadataPath } from '../identity/oauth/metadata.ts'
import { answerToken, tokenPath } from '../identity/oauth/token-endpoint.ts'
import { change } from '../store/change.ts'
import { registerDevice } from './device-routes.ts'
import { acceptForms, clientOf, formOf } from './forms.ts'
import { strangerLimits } from './limits.ts'
import { allowPage, notOursPage } from './oauth-pages.ts'
import { countStranger } from './operations-routes.ts'
import { send } from './pages.ts'
import { answering, signedIn } from './page-scope.ts'
import type { Throttle } from './throttle.ts'
import { createThrottle } from './throttle.ts'

export function registerOAuth(app: FastifyInstance, deps: OAuthDeps): void {
  const strangers = createThrottle({ limits: strangerLimits })
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request) => countStranger(strangers, request))
    acceptForms(scope)
    scope.get(metadataPath, () => metadataOf(deps.publicUrl()))
    scope.post(tokenPath, (request, reply) =>
      program(strangers, { request, reply, answer: () => token(deps, request) }),
    )
    scope.post(devicePath, (request, reply) =>
      program(strangers, { request, reply, answer: () => askByDevice(deps, askedOf(request)) }),
    )
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

const token = async (deps: OAuthDeps, request: FastifyRequest): Promise<unknown> => answerToken(deps, askedOf(request))

type Answering = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly answer: () => Promise<unknown>
}

/** Refusals in the words of RFC 6749. Whoever is answered is a stranger no more: their key or code was right. */
async function program(strangers: Throttle, { request, reply, answer }: Answering): Promise<unknown> {
  try {
    const answered = await answer()
    if (request.url === tokenPath) strangers.trust(request.ip)
    return answered
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, message, cause } = error
    if (cause !== undefined) request.log.warn({ err: cause }, 'a token was refused')
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
  return send(reply, allowPage({ authorization, caller: person.caller, address: request.ip }))
}

async function answerAuthorization(
  deps: OAuthDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { user, login } = await answering(deps, request, reply)
  const form = formOf(request)
  const asked = readAuthorization(form)
  if (asked.is !== 'good') return send(reply.code(400), notOursPage)
  const { authorization } = asked
  const allowed = form.get('answer') === 'allow'
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
