import { agentHandlers } from './agents.ts'
import { breakGlassHandlers } from './break-glass.ts'
import { configurationHandlers } from './configuration.ts'
import { factorHandlers } from './factors.ts'
import { gatewayHandlers } from './gateways.ts'
import { grantHandlers } from './grants.ts'
import type { Handlers } from './handler.ts'
import { recordingHandlers } from './recordings.ts'
import { keyHandlers } from './keys.ts'
import { loginHandlers } from './logins.ts'
import { machineLoginHandlers } from './machine-logins.ts'
import { requestHandlers } from './requests.ts'
import { resourceHandlers } from './resources.ts'
import { serviceHandlers } from './services.ts'
import { sessionHandlers } from './sessions.ts'
import { statementHandlers } from './statements.ts'
import { usageHandlers } from './usage.ts'
import { watchingHandlers } from './watching.ts'
import { webhookHandlers } from './webhooks.ts'

/** One for each operation of the API's table; the compiler says which is missing. */
export const handlers: Handlers = {
  ...resourceHandlers,
  ...requestHandlers,
  ...grantHandlers,
  ...watchingHandlers,
  ...configurationHandlers,
  ...gatewayHandlers,
  ...sessionHandlers,
  ...recordingHandlers,
  ...usageHandlers,
  ...loginHandlers,
  ...machineLoginHandlers,
  ...factorHandlers,
  ...agentHandlers,
  ...serviceHandlers,
  ...statementHandlers,
  ...breakGlassHandlers,
  ...webhookHandlers,
  ...keyHandlers,
}
