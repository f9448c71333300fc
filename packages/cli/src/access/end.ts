/** Ending a grant after its use, whatever the server's state just now. */

import type { Client, Input } from '@tidegate/api'
import type { Invocation } from '../context.ts'
import { patience } from '../limits.ts'
import { command, indented } from '../output.ts'
import { retrying } from '../server.ts'
import { show } from '../failure.ts'
import type { Grant } from '../words/grant.ts'
import { endedLines } from '../words/grant.ts'
import { when } from '../words/times.ts'

type Ending = {
  readonly client: Client
  readonly grant: Grant
  readonly because: NonNullable<Input<'endGrant'>['because']>
}

/** Never throws: what happened to the command before is what the caller reports. */
export async function endGrant(invocation: Invocation, { client, grant, because }: Ending): Promise<void> {
  try {
    const end = () => client.endGrant({ id: grant.id, because })
    const ended = await retrying(invocation, end, { delaysMs: patience.endingMs })
    invocation.out.note(...endedLines(ended))
  } catch (error) {
    invocation.out.warn(
      `GRANT ${grant.id} COULD NOT BE ENDED. ${untilWords(invocation, grant)}`,
      ['  End it as soon as the server answers: ', command(`tidegate done ${grant.id}`)],
      ...show(error).lines.map(indented),
    )
  }
}

const untilWords = (invocation: Invocation, { role, expiresAt }: Grant): string =>
  expiresAt === undefined
    ? `${role} may be open for as long as it was granted.`
    : `${role} stays open until its expiry, ${when(invocation, expiresAt)}.`
