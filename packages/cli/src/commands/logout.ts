/** `tidegate logout` */

import { defineCommand } from '../command.ts'
import { configPath, removeLogin } from '../settings.ts'

export const logout = defineCommand({
  name: ['logout'],
  summary: 'Forget the token that was kept',
  details: [
    'The token itself stays valid until its expiry: who has a copy can use it until it is taken out of the configuration.',
  ],
  examples: [{ line: 'tidegate logout', about: 'Forget the token' }],
  run: async (invocation) => {
    await removeLogin(invocation)
    invocation.out.result({ removed: configPath(invocation) }, () => [`No token is kept in ${configPath(invocation)}.`])
    return 'ok'
  },
})
