/** Passwords, as argon2id: slow and large for whoever guesses at a stolen store. */

import { hash, verify } from '@node-rs/argon2'
import { isGuessable } from './guessable.ts'
import { localLimits } from './limits.ts'

/** OWASP's first choice: 19 MiB, two passes, one lane. `2` is argon2id, which the library names by an enum of types. */
const parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Nobody's: what is compared with where there is no account, so that it takes as long. Of the same parameters. */
export const nobodysHash =
  '$argon2id$v=19$m=19456,t=2,p=1$YQon0N2u00TSngdD35pdPw$CoPIpA0XvUhPNfs2Ow4RZecc8LTcXfLLUBR8OJp1eHw'

/** What two keyboards type differently is one password. */
const plain = (password: string): string => password.normalize('NFKC')

export const hashPassword = (password: string): Promise<string> => hash(plain(password), parameters)

/** @param hashed absent: nobody's, and as slowly wrong */
export async function isPassword(password: string, hashed: string | null | undefined): Promise<boolean> {
  const right = await verify(hashed ?? nobodysHash, plain(password.slice(0, 4 * localLimits.passwordLongest)))
  return right && typeof hashed === 'string'
}

/** What is wrong with it; `undefined`: nothing. Length is what counts, and not which signs it is of. */
export async function passwordProblem(password: string, user: string): Promise<string | undefined> {
  const length = [...plain(password)].length
  const { passwordShortest: shortest, passwordLongest: longest } = localLimits
  if (length < shortest) return `A password has at least ${shortest} characters. Several words are easier to keep.`
  if (length > longest) return `A password has at most ${longest} characters.`
  if (!(await isGuessable(plain(password), user))) return undefined
  return 'That password is little more than your name, a word that everyone tries, a row of keys or the same again.'
}
