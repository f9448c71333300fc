import type { Output } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import { principalKey } from '@tidegate/core'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import { testMessage } from '../notify/message.ts'
import { statesOf } from '../notify/state.ts'
import { newId } from '../runtime.ts'
import type { Reader } from '../store/database.ts'
import type { Call, HandlersOf, Services } from './handler.ts'

export const webhookHandlers: HandlersOf<'listWebhooks' | 'testWebhook'> = {
  listWebhooks: {
    kind: 'plain',
    async run({ services: { db, configurations } }) {
      const { webhooks } = (await configurations.current(db)).declared
      return { items: await statesOf(db, webhooks) }
    },
  },
  testWebhook: {
    kind: 'change',
    // That it was tried is written down before it is: whatever arrives is in the log.
    async run({ services, caller, input: { id } }, unit) {
      const webhook = await findWebhook(services, unit.tx, id)
      const message = newId(unit.runtime, 'message')
      const by = principalKey(caller.principal)
      unit.record({ type: 'webhook.tested', at: unit.now, fields: { webhook: webhook.id, message, by } })
      return { webhook: webhook.id, message, outcome: 'unready' }
    },
    after: sendTest,
  },
}

async function findWebhook({ configurations }: Services, reader: Reader, id: string): Promise<DeclaredWebhook> {
  const { webhooks } = (await configurations.current(reader)).declared
  const webhook = webhooks.find((one) => one.id === id)
  if (!webhook) throw new ApiError('not-found', { detail: 'No webhook has that id: tidegate webhooks.' })
  return webhook
}

async function sendTest(
  { services, input: { id } }: Call<'testWebhook'>,
  { webhook, message }: Output<'testWebhook'>,
): Promise<Output<'testWebhook'>> {
  const declared = await findWebhook(services, services.db, id)
  const server = services.publicUrl()
  const sent = testMessage({ id: message, at: services.runtime.now(), server })
  const outcome = await services.courier.deliver(declared, sent, new AbortController().signal)
  if (outcome.kind === 'stopped') throw new ApiError('unavailable')
  return { webhook, message, outcome: outcome.kind, ...('error' in outcome && { error: outcome.error }) }
}
