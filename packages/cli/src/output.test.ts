import { describe, expect, it } from 'vitest'
import { bold, createOutput, listed, styled, table } from './output.ts'
import { harness } from './testing/context.ts'

describe('output', () => {
  it('colours nothing where it is not a terminal', async () => {
    const { context, stdout } = await harness()
    createOutput({ ...context, format: 'human' }).result({}, () => [bold('x')])
    expect(stdout()).toBe('x\n')
  })

  it.each([
    [{}, '\u001b[31mno\u001b[39m\n'],
    [{ NO_COLOR: '1' }, 'no\n'],
    [{ TERM: 'dumb' }, 'no\n'],
  ])('colours on a terminal, unless the environment says otherwise: %o', async (env, expected) => {
    const { context, stdout } = await harness({ tty: true, env })
    createOutput({ ...context, format: 'human' }).result({}, () => [styled('red', 'no')])
    expect(stdout()).toBe(expected)
  })

  it('lets no escape sequence through, styled or not', async () => {
    const { context, stderr } = await harness({ tty: true, env: { NO_COLOR: '1' } })
    createOutput({ ...context, format: 'human' }).note(['\u001b[31m', bold('\u001b]0;title\u0007')])
    expect(stderr()).toBe('[31m]0;title\n')
  })

  it('prints JSON alone on stdout, and notes on stderr', async () => {
    const { context, stdout, stderr } = await harness()
    const out = createOutput({ ...context, format: 'json' })
    out.note('by the way')
    out.result({ a: 1 }, () => ['not this'])
    expect(JSON.parse(stdout())).toEqual({ a: 1 })
    expect(stderr()).toBe('by the way\n')
  })

  it('aligns columns by what is shown, not by what was sent', async () => {
    const { context, stdout } = await harness()
    createOutput({ ...context, format: 'human' }).result({}, () =>
      table(
        ['A', 'B'],
        [
          ['\u001b[1mxx', 'y'],
          ['x', styled('red', 'yy')],
        ],
      ),
    )
    expect(stdout()).toBe('A      B\n[1mxx  y\nx      yy\n')
  })

  it('lists words as people do', () => {
    expect([listed([], 'or'), listed(['a'], 'or'), listed(['a', 'b'], 'or'), listed(['a', 'b', 'c'], 'and')]).toEqual([
      '',
      'a',
      'a or b',
      'a, b and c',
    ])
  })
})
