/** Where a person types the code that a command line shows on a machine without a browser (RFC 8628, section 3.3). */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answerDevice, findWaiting, readUserCode } from '../identity/oauth/device-authorization.ts'
import type { OAuthDeps } from '../identity/oauth/grant-type.ts'
import { change } from '../store/change.ts'
import { formOf } from './forms.ts'
import { userCodeLimits } from './limits.ts'
import { answeredPage, codePage, deviceAllowPage, noSuchCodePage } from './oauth-pages.ts'
import { waitFor } from './operations-routes.ts'
import { send } from './pages.ts'
import { answering, signedIn } from './page-scope.ts'
import type { Throttle } from './throttle.ts'
import { createThrottle } from './throttle.ts'

/** @param scope one that accepts forms, and counts strangers */
export function registerDevice(scope: FastifyInstance, deps: OAuthDeps): void {
  const guesses = createThrottle({ limits: userCodeLimits })
  scope.get('/device', async (request, reply) => {
    const person = await signedIn(deps, request, reply)
    return person ? send(reply, codePage) : reply
  })
  scope.post('/device', (request, reply) => takeCode({ deps, guesses }, request, reply))
}

type At = { readonly deps: OAuthDeps; readonly guesses: Throttle }

/** First with the code alone, to be shown who asks; then with an answer. Whatever is wrong with a code is said alike. */
async function takeCode({ deps, guesses }: At, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { caller, user, login } = await answering(deps, request, reply)
  // By person, wherever they are: whoever guesses has to be someone first.
  waitFor(guesses.take(`user:${user}`))
  const form = formOf(request)
  const userCode = readUserCode(form.get('user_code') ?? undefined)
  if (userCode === undefined) return send(reply.code(400), noSuchCodePage)
  const said = form.get('answer')
  if (said === null) {
    const now = deps.runtime.now()
    const row = await findWaiting(deps.db, { userCode, now })
    if (!row) return send(reply.code(400), noSuchCodePage)
    return send(reply, deviceAllowPage({ row, caller, address: request.ip, now }))
  }
  const allow = said === 'allow'
  const waited = await change(deps, (unit) => answerDevice(unit, { userCode, login, user, allow }))
  return waited ? send(reply, answeredPage(allow)) : send(reply.code(400), noSuchCodePage)
}
