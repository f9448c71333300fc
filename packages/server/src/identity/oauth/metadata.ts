/** RFC 8414: what this server says of itself to whoever wants a token. */

import { signatureAlgorithms } from '../signatures.ts'
import { authorizePath } from './authorize.ts'
import { acrValues } from './demand.ts'
import { devicePath } from './device-authorization.ts'
import { grantTypes } from './grant-types.ts'
import { proofAlgorithms } from './key-proof.ts'
import { revocationPath } from './revocation.ts'
import { tokenPath } from './token-endpoint.ts'

export const metadataPath = '/.well-known/oauth-authorization-server'

/** @param issuer where people reach this server */
export const metadataOf = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}${authorizePath}`,
  token_endpoint: `${issuer}${tokenPath}`,
  device_authorization_endpoint: `${issuer}${devicePath}`,
  revocation_endpoint: `${issuer}${revocationPath}`,
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  grant_types_supported: Object.keys(grantTypes),
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['none', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'],
  token_endpoint_auth_signing_alg_values_supported: signatureAlgorithms,
  revocation_endpoint_auth_methods_supported: ['none'],
  acr_values_supported: acrValues,
  dpop_signing_alg_values_supported: proofAlgorithms,
  authorization_response_iss_parameter_supported: true,
})
