/** Every way to come to an access token, by its `grant_type`. */

import { tokenExchange } from '../machines/token-exchange.ts'
import { clientCredentials } from '../services/client-credentials.ts'
import { authorizationCode } from './authorization-code.ts'
import { deviceCode } from './device-code.ts'
import type { GrantType } from './grant-type.ts'
import { refreshToken } from './refresh-token.ts'

export const grantTypes: Readonly<Record<string, GrantType>> = {
  authorization_code: authorizationCode,
  refresh_token: refreshToken,
  client_credentials: clientCredentials,
  'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchange,
  'urn:ietf:params:oauth:grant-type:device_code': deviceCode,
}
