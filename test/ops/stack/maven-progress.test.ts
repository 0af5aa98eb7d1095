import { expect, test } from 'vitest'
import { advance, DOWNLOAD_START, describe as describeProgress } from '../../../ops/stack/maven-progress.ts'

function after(...lines: string[]) {
  return lines.reduce(advance, DOWNLOAD_START)
}

test('a download counts the bytes of whole files and of the part that has arrived', () => {
  const progress = after(
    'Downloading from mirror: https://repository.example/a/kafka.jar',
    'Progress (1): 800/900 kB',
    'Downloaded from mirror: https://repository.example/a/kafka.jar (900 kB at 3.1 MB/s)',
    'Downloading from mirror: https://repository.example/b/registry.tar.gz',
    'Progress (1): 12/109 MB',
  )
  expect(progress).toEqual({ file: 'registry.tar.gz', filesDone: 1, doneBytes: 900_000, partialBytes: 12_000_000 })
})

test('files that arrive side by side are added up', () => {
  expect(after('Progress (3): 1.5/109 MB | 200/450 kB | 300 kB').partialBytes).toBe(2_000_000)
})

test('the sum shown does not jump back when a file has arrived', () => {
  const lines = [
    'Progress (1): 900/900 kB',
    'Downloaded from mirror: https://repository.example/a/kafka.jar (900 kB at 3.1 MB/s)',
  ]
  expect(describeProgress(after('Downloading from mirror: https://repository.example/a/kafka.jar', ...lines))).toMatch(
    /^0\.9 MB/,
  )
})

test('other output of Maven changes nothing', () => {
  expect(after('[INFO] Scanning for projects...', '', 'Progress')).toEqual(DOWNLOAD_START)
})

test('what is shown names the file and never the address it comes from', () => {
  const text = describeProgress(
    after('Downloading from mirror: https://repository.example/a/kafka.jar', 'Progress (1): 2.0/4.0 MB'),
  )
  expect(text).toBe('2.0 MB so far, 0 files; now kafka.jar')
})
