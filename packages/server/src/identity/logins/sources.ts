/** Where logins can come from, as configuration has it now. */

import type { DeclaredIdentity } from '../../configuration/schema.ts'

/** In place of a provider's id, which none may have: an account of Tidegate itself. */
export const localSource = 'local'

export const anyoneSignsIn = ({ providers, local }: DeclaredIdentity): boolean =>
  providers.length > 0 || local !== undefined

export const isSource = ({ providers, local }: DeclaredIdentity, id: string): boolean =>
  id === localSource ? local !== undefined : providers.some((provider) => provider.id === id)
