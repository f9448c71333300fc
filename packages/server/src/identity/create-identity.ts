/** Every way to be known, in one. Each looks at what is its own, and leaves the rest to the next. */

import type { Identity } from './identity.ts'
import type { LoginDeps } from './logins/cookie-identity.ts'
import { createCookieIdentity } from './logins/cookie-identity.ts'
import { createMachineIdentity } from './machines/machine-identity.ts'
import { createAccessIdentity } from './oauth/access-identity.ts'
import type { ProofDeps } from './oauth/key-proof.ts'
import type { TokenDeps } from './tokens.ts'
import { createTokenIdentity } from './tokens.ts'

export function createIdentity(deps: LoginDeps & TokenDeps & ProofDeps): Identity {
  const ways = [
    createTokenIdentity(deps),
    createAccessIdentity(deps),
    createMachineIdentity(deps),
    createCookieIdentity(deps),
  ]
  return {
    async authenticate(presented) {
      for (const way of ways) {
        const recognised = await way.authenticate(presented)
        if (recognised) return recognised
      }
      return undefined
    },
  }
}
