import type { Output } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import { connectionLost } from '../testing/api-server.ts'
import { harnessWithServer } from '../testing/context.ts'
import { denial, needsApproval, pendingRequest, permit, requestOf } from '../testing/things.ts'

const wish = ['request', 'orders-db/readonly', '--for', '30m', '--reason', 'Look into OPS-17']

describe('a request', () => {
  it('sends what was said and prints what policy granted', async () => {
    const { run, server, stdout } = await harnessWithServer({ createRequest: () => requestOf() })
    expect(await run(...wish, '--ticket', 'OPS-17', '--task', 'triage', '--start', '2026-11-21T13:00:00Z')).toBe(0)
    expect(server.calls[0]?.input).toEqual({
      role: 'orders-db/readonly',
      duration: '30m',
      reason: 'Look into OPS-17',
      ticket: 'OPS-17',
      task: 'triage',
      startAt: '2026-11-21T13:00:00Z',
    })
    expect(stdout()).toContain('Granted: orders-db/readonly for 30m, by policy readers-may-read.')
    expect(stdout()).toContain('grt_1')
  })

  it('says whom it waits for and exits with 4', async () => {
    const { run, stdout } = await harnessWithServer({ createRequest: () => pendingRequest() })
    expect(await run(...wish)).toBe(4)
    expect(stdout()).toContain('Waiting for the requester’s manager or team-leads: request req_1')
    expect(stdout()).toContain('1 of the requester’s manager, then 2 of team-leads or security')
  })

  it('says why it is refused and what would make it a yes, and exits with 3', async () => {
    const refused = { ...pendingRequest({ status: 'denied', decision: denial }) }
    const { run, stdout } = await harnessWithServer({ createRequest: () => refused })
    expect(await run(...wish)).toBe(3)
    expect(stdout()).toContain('Refused: orders-db/readonly')
    expect(stdout()).toContain('Use a managed device.')
    expect(stdout()).toContain(
      'What would make it a yes:\n  - Ask for at most 30m.\n  - Name an open ticket. Then it waits',
    )
  })

  it('is sent once more with the same key when the network lost the answer', async () => {
    let attempts = 0
    const { run, server } = await harnessWithServer({
      createRequest: () => {
        if (attempts++ === 0) throw connectionLost
        return requestOf()
      },
    })
    expect(await run(...wish)).toBe(0)
    const keys = server.callsOf('createRequest').map(({ idempotencyKey }) => idempotencyKey)
    expect(keys).toHaveLength(2)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[\w-]{24}$/)
  })

  it('is not sent again when the server said no', async () => {
    const { run, server } = await harnessWithServer({
      createRequest: () => {
        throw new ApiError('unknown-role')
      },
    })
    expect(await run(...wish)).toBe(6)
    expect(server.calls).toHaveLength(1)
  })

  it('prints the API’s request and nothing else with --output json', async () => {
    const { run, stdout, stderr } = await harnessWithServer({ createRequest: () => requestOf() })
    expect(await run(...wish, '-o', 'json')).toBe(0)
    expect(JSON.parse(stdout())).toEqual(requestOf())
    expect(stderr()).toBe('')
  })

  it('cannot rewrite the terminal of whoever reads its answer', async () => {
    const comment = 'no\u001b[1A\u001b[2KGranted: admin'
    const refused = pendingRequest({
      status: 'denied',
      approvals: [
        {
          id: 'apr_1',
          approver: 'user:lead',
          verdict: 'deny',
          as: ['team-leads'],
          comment,
          at: '2026-11-21T12:00:00Z',
        },
      ],
    })
    const { run, stdout } = await harnessWithServer({ createRequest: () => refused })
    expect(await run(...wish)).toBe(3)
    expect(stdout()).toBe('Refused by user:lead: no[1A[2KGranted: admin\n')
  })
})

describe('waiting', () => {
  it('goes on until someone answers', async () => {
    let looks = 0
    const { run, stdout, stderr } = await harnessWithServer({
      createRequest: () => pendingRequest(),
      getRequest: () => (++looks < 3 ? pendingRequest() : requestOf({ approvals: [yes] })),
    })
    expect(await run(...wish, '--wait')).toBe(0)
    expect(stderr()).toContain('Waiting for')
    expect(stdout()).toContain('Granted: orders-db/readonly for 30m, by user:lead.')
  })

  it('says when the next stage is reached', async () => {
    let looks = 0
    const { run, stderr } = await harnessWithServer({
      createRequest: () => pendingRequest(),
      getRequest: () => (++looks < 2 ? pendingRequest({ waitingFor: ['security'] }) : requestOf()),
    })
    expect(await run(...wish, '--wait')).toBe(0)
    expect(stderr()).toContain('Now waiting for security.')
  })

  it('outlives a server that restarts', async () => {
    let looks = 0
    const { run } = await harnessWithServer({
      createRequest: () => pendingRequest(),
      getRequest: () => {
        if (looks++ < 2) throw connectionLost
        return requestOf()
      },
    })
    expect(await run(...wish, '--wait')).toBe(0)
  })

  it('ends at its timeout with 4 and leaves the request', async () => {
    const { run, server, stderr } = await harnessWithServer({
      createRequest: () => pendingRequest(),
      getRequest: () => pendingRequest(),
    })
    expect(await run(...wish, '--wait', '--timeout', '1m')).toBe(4)
    expect(stderr()).toContain('Nobody has answered yet; request req_1 stays.')
    expect(server.callsOf('cancelRequest')).toEqual([])
    expect(server.callsOf('getRequest').length).toBeGreaterThan(10)
  })

  it('ends at Ctrl-C with 130 and leaves the request', async () => {
    const { run, signals, server, stderr } = await harnessWithServer(
      { createRequest: () => pendingRequest(), getRequest: () => pendingRequest() },
      { onSleep: (count) => count === 2 && signals.emit('SIGINT') },
    )
    expect(await run(...wish, '--wait')).toBe(130)
    expect(stderr()).toContain('tidegate cancel req_1')
    expect(server.callsOf('cancelRequest')).toEqual([])
    expect(signals.listenerCount('SIGINT')).toBe(0)
  })
})

const masked: Output<'ask'> = {
  ...(needsApproval as Extract<Output<'ask'>, { outcome: 'approve' }>),
  obligations: [
    { kind: 'guard', name: 'no-deletes', policies: ['a'] },
    { kind: 'mask', name: 'pii', policies: ['a', 'b'] },
  ],
}

it('shows an approver what sessions will be held to', async () => {
  const { run, stdout } = await harnessWithServer({ getRequest: () => pendingRequest({ decision: masked }) })
  expect(await run('requests', 'show', 'req_1')).toBe(0)
  expect(stdout()).toContain('held to guard no-deletes (policy a) and mask pii (policies a and b)')
})

describe('a dry run', () => {
  it.each([
    [permit, 0, 'It would be granted by policy readers-may-read, for at most 1h.'],
    [needsApproval, 4, 'It would wait for an approval, by 1 path:'],
    [denial, 3, 'What would make it a yes:'],
    [masked, 4, '  Sessions are held to guard no-deletes (policy a) and mask pii (policies a and b).'],
  ])('files nothing and says what would be answered', async (decision, code, words) => {
    const { run, server, stdout } = await harnessWithServer({ ask: () => decision })
    expect(await run('request', 'orders-db/readonly', '--for', '30m', '--dry-run')).toBe(code)
    expect(server.calls.map(({ operation }) => operation)).toEqual(['ask'])
    expect(stdout()).toContain(words)
  })
})

const yes: Output<'approveRequest'>['approvals'][number] = {
  id: 'apr_1',
  approver: 'user:lead',
  verdict: 'approve',
  as: ['team-leads'],
  at: '2026-11-21T12:00:00Z',
}
