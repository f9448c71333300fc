/** Refusals in the words of RFC 6749, section 5.2, and of the specifications that add to them. */

/** Each with its HTTP status. */
export const oauthErrors = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  /** RFC 8628, section 3.5. */
  authorization_pending: 400,
  slow_down: 400,
  access_denied: 400,
  expired_token: 400,
  /** RFC 9449, sections 5 and 8. */
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  /** OpenID Connect Core Unmet Authentication Requirements 1.0, as RFC 9470 wants it. */
  unmet_authentication_requirements: 400,
  /** RFC 7009, section 2.2.1. */
  unsupported_token_type: 400,
  /** RFC 8693, section 2.2.2. */
  invalid_target: 400,
} as const satisfies Record<string, number>

export type OAuthErrorCode = keyof typeof oauthErrors

export class OAuthError extends Error {
  readonly code: OAuthErrorCode

  /** @param description for people, in printable ASCII without quotes, and nothing of what was sent */
  constructor(code: OAuthErrorCode, description: string) {
    super(description)
    this.name = 'OAuthError'
    this.code = code
  }
}
