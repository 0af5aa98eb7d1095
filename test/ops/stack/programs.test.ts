import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findJava, findMaven, findOnPath, javaMajor } from '../../../ops/stack/programs.ts'

async function folderWith(name: string, script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-programs-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), script)
  await chmod(join(folder, name), 0o755)
  return folder
}

const MISSING = { code: 'environment-missing', exitCode: 3 }

test('a missing Java is told in one sentence that says what to install', async () => {
  const failure = await findJava({ PATH: '/nonexistent' }).catch((error: unknown) => error)
  expect(failure).toMatchObject(MISSING)
  expect(String(failure)).toMatch(/needs a Java Development Kit, version 17 or newer.*install one/)
})

test('a Java older than 17 is as good as none', async () => {
  const folder = await folderWith('java', '#!/bin/sh\necho \'openjdk version "11.0.2" 2019-01-15\' >&2\n')
  await expect(findJava({ PATH: folder })).rejects.toMatchObject(MISSING)
  await expect(findJava({ PATH: folder })).rejects.toThrow(/is version 11/)
})

test('a Java that cannot run is as good as none', async () => {
  const folder = await folderWith('java', '#!/bin/sh\nexit 1\n')
  await expect(findJava({ PATH: folder })).rejects.toMatchObject(MISSING)
})

test('a missing Maven is told in one sentence that says what to install', () => {
  expect(() => findMaven({ PATH: '/nonexistent' })).toThrow(/needs Apache Maven.*install Maven/)
})

test('only an executable file is a program', async () => {
  const folder = await folderWith('redis-server', '')
  expect(findOnPath('redis-server', { PATH: `/nonexistent::${folder}` })).toBe(join(folder, 'redis-server'))
  await chmod(join(folder, 'redis-server'), 0o644)
  expect(findOnPath('redis-server', { PATH: folder })).toBeUndefined()
})

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_392"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ['no version here', undefined],
])('%s is Java %s', (text, major) => {
  expect(javaMajor(text)).toBe(major)
})
