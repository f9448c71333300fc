import { statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import { expect, test, vi } from 'vitest'
import { hours } from '../time.ts'
import { decide } from './decide.ts'
import { agentFor, policiesOf, question, user } from './fixtures.ts'
import { policyLimits } from './limits.ts'

vi.mock('@cedar-policy/cedar-wasm/nodejs', async (original) => {
  const cedar = await original<{ statefulIsAuthorized: typeof statefulIsAuthorized }>()
  return { ...cedar, statefulIsAuthorized: vi.fn<typeof statefulIsAuthorized>(cedar.statefulIsAuthorized) }
})

test.each([user('alice'), agentFor(user('alice'))])(
  'a hopeless question of a $kind costs no more than the limit',
  (principal) => {
    const set = policiesOf(
      Array.from(
        { length: 20 },
        (_, i) => `@id("p-${i}") @max_duration("${i + 1}h") permit (principal, action, resource)
      when { context has device && context has network && context has risk && context has oncall && context has ticket
        && context.authentication.mfa && context has task };`,
      ).join('\n'),
    )
    expect(decide(set, question({ principal, duration: hours(30) }), 'dec_a')).toMatchObject({ outcome: 'deny' })
    const asked = vi.mocked(statefulIsAuthorized).mock.calls.length
    const sides = principal.kind === 'agent' ? 2 : 1
    expect(asked).toBeGreaterThan(20)
    expect(asked).toBeLessThanOrEqual(policyLimits.counterfactuals + sides)
    vi.mocked(statefulIsAuthorized).mockClear()
  },
)
