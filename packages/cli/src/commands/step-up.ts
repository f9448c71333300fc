/** `tidegate step-up` */

import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { connectToServer } from '../server.ts'
import type { KeptAt } from '../settings.ts'
import { serverSettings } from '../settings.ts'
import { proofWords } from '../words/login.ts'

export const stepUp = defineCommand({
  name: ['step-up'],
  summary: 'Prove again, and more, that it is you',
  details: [
    'Opens your browser, where you prove it by a passkey, by a code or at your provider, and are asked whether this command line may go on as you. Its login stays the same one, and is stronger from then on.',
    'A command that takes a stronger sign-in does this by itself at a terminal, and goes on. Where nobody sits there, or with --no-step-up or `--output json`, it does nothing and exits with 9; then this is for whoever is responsible.',
  ],
  options: {
    passkey: { about: 'By a passkey, or as strongly. Otherwise any second factor will do.' },
    device: { about: 'Show a code to type into a browser on any machine.', conflicts: ['noBrowser'] },
    noBrowser: { about: 'Show the address to open on this machine, instead of opening it.' },
  },
  examples: [
    { line: 'tidegate step-up', about: 'By a second factor' },
    { line: 'tidegate step-up --passkey --device', about: 'By a passkey, in a browser elsewhere' },
  ],
  run: async (invocation, { passkey, device, noBrowser }) => {
    const at = await loginOf(invocation)
    const { stepUp: prove } = await import('../login/step-up.ts')
    const { wayFor } = await import('../login/sign-in.ts')
    const way = await wayFor(invocation, { device, noBrowser })
    await prove(invocation, at, { demand: { acr_values: passkey ? 'phr' : 'mfa', max_age: '60' }, way })
    const me = await (await connectToServer(invocation)).whoami({})
    invocation.out.result(me, () => [`${me.principal}, by ${proofWords(invocation, me.authentication)}.`])
    return 'ok'
  },
})

async function loginOf(invocation: Invocation): Promise<KeptAt> {
  const settings = await serverSettings(invocation)
  if ('login' in settings) return settings
  throw new Failure('usage', 'A token gets no stronger.', {
    remedy: 'Run `tidegate login`; where TIDEGATE_TOKEN is set, leave it out.',
  })
}
