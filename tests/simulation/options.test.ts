import { expect, test } from 'vitest'
import { help, readOptions } from './options.ts'

test('help is printed, and nothing is run', () => {
  expect(readOptions(['--help'], 0)).toEqual({ text: help, exit: 0 })
  expect(readOptions(['-h', '--planted'], 0)).toEqual({ text: help, exit: 0 })
})

test('every option that is taken stands in the help', () => {
  for (const name of ['seed', 'steps', 'histories', 'trace', 'verbose', 'keep-going', 'planted', 'sweep'])
    expect(help).toContain(`--${name}`)
})

test.each([
  [['--sede', '4'], "Unknown option '--sede'"],
  [['--seed', 'four'], '--seed takes a whole number'],
  [['--steps', '0'], '--steps takes a whole number above 0'],
  [['--histories', '1.5'], '--histories takes a whole number above 0'],
  [['--planted', '--sweep'], 'Either --planted or --sweep.'],
  [['seven'], "Unexpected argument 'seven'"],
])('%j is refused with the reason and the help, and not by a stack trace', (args, why) => {
  const answer = readOptions(args, 0)
  expect(answer).toMatchObject({ exit: 2, text: expect.stringContaining(why) })
  expect(answer).toMatchObject({ text: expect.stringContaining(help) })
})

test('without a seed the clock is one, so that each run plays something else', () => {
  expect(readOptions([], 1_234_567)).toMatchObject({ seed: 234_567, steps: 80, histories: 100, what: 'play' })
  expect(readOptions(['--seed', '7', '--planted'], 1)).toMatchObject({ seed: 7, what: 'planted' })
})
