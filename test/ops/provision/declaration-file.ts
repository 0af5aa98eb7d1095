import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { changed } from '../declaration/pipelines.ts'

/** A declaration on disk whose brokers are these, for the duration of a test. @returns its path */
export function declarationFile(brokers: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-provision-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'tributary.yaml')
  writeFileSync(file, changed(['kafka:9092', brokers]))
  return file
}
