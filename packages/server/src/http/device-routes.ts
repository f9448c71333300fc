/** Where a person types the code that a command line shows on a machine without a browser (RFC 8628, section 3.3). */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { openChallenge, sealChallenge } from '../identity/factors/challenge.ts'
import type { Demand } from '../identity/oauth/demand.ts'
import { isMet } from '../identity/oauth/demand.ts'
import type { DeviceRow } from '../identity/oauth/device-authorization.ts'
import { answerDevice, findWaiting, readUserCode } from '../identity/oauth/device-authorization.ts'
import type { OAuthDeps } from '../identity/oauth/grant-type.ts'
import { change } from '../store/change.ts'
import { formOf } from './forms.ts'
import { userCodeLimits } from './limits.ts'
import { answeredPage, codePage, deviceAllowPage, noSuchCodePage } from './oauth-pages.ts'
import { waitFor } from './operations-routes.ts'
import { send } from './pages.ts'
import type { SignedIn } from './page-scope.ts'
import { answering, queryOf, signedIn } from './page-scope.ts'
import { stepUpPath } from './step-up-routes.ts'
import type { Throttle } from './throttle.ts'
import { createThrottle } from './throttle.ts'

/** @param scope one that accepts forms, and counts strangers */
export function registerDevice(scope: FastifyInstance, deps: OAuthDeps): void {
  const guesses = createThrottle({ limits: userCodeLimits })
  scope.get('/device', (request, reply) => askForCode(deps, request, reply))
  scope.post('/device', (request, reply) => takeCode({ deps, guesses }, request, reply))
}

async function askForCode(deps: OAuthDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const person = await signedIn(deps, request, reply)
  if (!person) return reply
  const userCode = typedBefore(deps, person, queryOf(request, 'typed'))
  return userCode === undefined ? send(reply, codePage) : ask(deps, { request, reply, person, userCode })
}

type At = { readonly deps: OAuthDeps; readonly guesses: Throttle }

/** First with the code alone, to be shown who asks; then with an answer. Whatever is wrong with a code is said alike. */
async function takeCode({ deps, guesses }: At, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const person = await answering(deps, request, reply)
  const { user, login } = person
  // By person, wherever they are: whoever guesses has to be someone first.
  waitFor(guesses.take(`user:${user}`))
  const form = formOf(request)
  const userCode = readUserCode(form.get('user_code') ?? undefined)
  if (userCode === undefined) return send(reply.code(400), noSuchCodePage)
  const said = form.get('answer')
  const allow = said === 'allow'
  if (said === null || (allow && !(await hasProved(deps, person, userCode))))
    return ask(deps, { request, reply, person, userCode })
  const waited = await change(deps, (unit) => answerDevice(unit, { userCode, login, user, allow }))
  return waited ? send(reply, answeredPage(allow)) : send(reply.code(400), noSuchCodePage)
}

type Asking = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly person: SignedIn
  readonly userCode: string
}

/** Shows who asks; before that they prove what is asked for, where something is. */
async function ask(deps: OAuthDeps, { request, reply, person, userCode }: Asking): Promise<FastifyReply> {
  const now = deps.runtime.now()
  const row = await findWaiting(deps.db, { userCode, now })
  if (!row) return send(reply.code(400), noSuchCodePage)
  const demand = demandOf(row)
  if (demand && !isMet(person.caller.authentication, demand, now)) {
    const typed = sealChallenge(deps.runtime, deps, { purpose: 'device', about: person.user, secret: userCode })
    return reply.redirect(stepUpPath(demand.need, `/device?typed=${typed}`), 303)
  }
  return send(reply, deviceAllowPage({ row, caller: person.caller, address: request.ip, now }))
}

async function hasProved(deps: OAuthDeps, { caller }: SignedIn, userCode: string): Promise<boolean> {
  const now = deps.runtime.now()
  const row = await findWaiting(deps.db, { userCode, now })
  const demand = row && demandOf(row)
  return !demand || isMet(caller.authentication, demand, now)
}

const demandOf = ({ demand }: DeviceRow): Demand | undefined => (demand as Demand | null) ?? undefined

/** What this person typed before they were sent to prove more. Sealed by us for them: no link that is sent has a code in it. */
function typedBefore({ runtime, key }: OAuthDeps, { user }: SignedIn, sealed: unknown): string | undefined {
  if (typeof sealed !== 'string') return undefined
  return openChallenge(sealed, { purpose: 'device', about: user, key, now: runtime.now() })?.secret
}
