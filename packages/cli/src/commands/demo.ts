/** `tidegate demo` */

import { defineCommand } from '../command.ts'

export const demo = defineCommand({
  name: ['demo'],
  summary: 'Play the main job for real, on databases of its own',
  details: [
    'Starts Tidegate and a separate PostgreSQL as the target, both on this machine only, and plays a day in a minute: ' +
      'asked, approved, used, ended, proved. Then it stays up for you to try, and leaves nothing behind.',
  ],
  options: { once: { about: 'End after the last step. The exit code says whether every step was as it should be.' } },
  examples: [{ line: 'tidegate demo --once', about: 'Play it and end' }],
  run: async (invocation, { once }) => {
    // Every other command is a client, and does not wait for the server's code to load.
    const { playDemo } = await import('../demo/play.ts')
    return playDemo(invocation, { once })
  },
})
