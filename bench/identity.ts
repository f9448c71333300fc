/** Who is asking: what it costs to be known with each request, in every way there is, and to come to be known. */

import type { BenchOptions, Bench, Row } from './harness.ts'
import { setUpIdentity } from './identity-stand.ts'
import { loggingIn } from './identity-logins.ts'
import { calling } from './identity-requests.ts'

/** Each signs in so often as there are codes of an app that count at one time. */
const attempts = 2

export const identity: Bench = {
  name: 'identity',
  about: 'who is asking: requests of whoever is known, and logins',
  async run(options: BenchOptions): Promise<readonly Row[]> {
    const localUsers = options.quick ? 5 : 50
    options.note(`${localUsers} people get an account and a password`)
    const stand = await setUpIdentity(options, localUsers)
    try {
      return [...(await calling(stand, options)), ...(await loggingIn(stand, options, attempts * localUsers))]
    } finally {
      await stand.close()
    }
  },
}
