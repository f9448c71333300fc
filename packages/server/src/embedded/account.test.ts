import { expect, test } from 'vitest'
import { mayPass } from './account.ts'

const account = { name: 'tidegate', uid: 100, gid: 200 }

test.each([
  { whose: 'its own, closed to it', uid: 100, gid: 200, mode: 0o677, passes: false },
  { whose: 'its own, open to it', uid: 100, gid: 9, mode: 0o700, passes: true },
  { whose: "its group's, closed to the group", uid: 9, gid: 200, mode: 0o707, passes: false },
  { whose: "its group's, open to the group", uid: 9, gid: 200, mode: 0o710, passes: true },
  { whose: "another's, closed to others", uid: 0, gid: 0, mode: 0o770, passes: false },
  { whose: "another's, open to others", uid: 0, gid: 0, mode: 0o711, passes: true },
])('an account passes through a folder by the first bits that speak of it: $whose', ({ uid, gid, mode, passes }) => {
  expect(mayPass(account, { path: '/folder', uid, gid, mode })).toBe(passes)
})

test('root passes through every folder', () => {
  expect(mayPass({ name: 'root', uid: 0, gid: 0 }, { path: '/folder', uid: 9, gid: 9, mode: 0 })).toBe(true)
})
