import type { GrantId } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createPlaces, type Owner, type Places } from './places.ts'
import { sessionLimits } from './ports.ts'

const owner = (grant: string, principal = 'user:alice'): Owner => ({ grant: grant as GrantId, principal })

/** Someone who has a place before any proof, and whether they still have it. */
function ahead(places: Places, who: Owner): () => boolean {
  let hasIt = places.reserveAhead(who, () => {
    hasIt = false
    places.release(who)
  })
  return () => hasIt
}

test.each([
  ['the gateway', { sessions: 2 }, 'this gateway has 2 open sessions'],
  ['the grant', { sessionsPerGrant: 2 }, 'grant a has 2 open sessions; close one'],
  ['the principal', { sessionsPerPrincipal: 2 }, 'user:alice has 2 open sessions; close one'],
])('where %s is full nobody gets a place, proved or not', (_, limits, words) => {
  const places = createPlaces({ ...sessionLimits, ...limits })
  expect([places.reserve(owner('a')), places.reserve(owner('a'))]).toEqual([undefined, undefined])
  expect(places.reserve(owner('a'))).toBe(words)
  expect(ahead(places, owner('a'))()).toBe(false)
  places.release(owner('a'))
  expect(places.reserve(owner('a'))).toBeUndefined()
})

test('who has proved nothing counts, and makes room for who has', () => {
  const places = createPlaces({ ...sessionLimits, sessionsPerGrant: 2 })
  const early = [ahead(places, owner('a')), ahead(places, owner('a'))]
  const elsewhere = ahead(places, owner('b', 'user:bob'))
  expect([...early, elsewhere].map((hasIt) => hasIt())).toEqual([true, true, true])
  expect(ahead(places, owner('a'))()).toBe(false)
  expect(places.reserve(owner('a'))).toBeUndefined()
  expect([...early, elsewhere].map((hasIt) => hasIt())).toEqual([false, false, true])
})

test('who has proved it keeps the place', () => {
  const places = createPlaces({ ...sessionLimits, sessionsPerGrant: 1 })
  const early = owner('a')
  const hasIt = ahead(places, early)
  places.keep(early)
  expect(places.reserve(owner('a'))).toBe('grant a has 1 open sessions; close one')
  expect(hasIt()).toBe(true)
})
