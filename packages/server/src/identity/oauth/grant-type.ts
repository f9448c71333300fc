/** What the token endpoint hands to a type of grant, and what it gets back. */

import type { IncomingHttpHeaders } from 'node:http'
import type { Lifecycle } from '../../lifecycle/context.ts'
import type { MasterKey } from '../../secrets/envelope.ts'
import type { LoginDeps } from '../logins/cookie-identity.ts'
import type { Client } from '../logins/logins.ts'
import type { IssuerKeys } from '../services/issuer-keys.ts'
import type { Form } from './form.ts'

export type OAuthDeps = LoginDeps & Lifecycle & { readonly key: MasterKey; readonly issuerKeys: IssuerKeys }

export type TokenRequest = {
  readonly form: Form
  readonly headers: IncomingHttpHeaders
  /** Where it comes from. */
  readonly client: Client
  /** RFC 7638, of the key that the caller has just proved to hold (RFC 9449). Absent: it sent no proof. */
  readonly keyThumbprint?: string
}

/** RFC 6749, section 5.1; RFC 8693, section 2.2.1. */
export type TokenAnswer = {
  readonly access_token: string
  readonly token_type: 'DPoP' | 'Bearer'
  /** Seconds. */
  readonly expires_in: number
  readonly refresh_token?: string
  readonly issued_token_type?: string
  /** OpenID Connect's words for what a person proved, and when. */
  readonly acr?: string
  /** Seconds since 1970. */
  readonly auth_time?: number
}

/** Each says by itself which clients may use it, and how those prove who they are. @throws {OAuthError} */
export type GrantType = (deps: OAuthDeps, asked: TokenRequest) => Promise<TokenAnswer>
