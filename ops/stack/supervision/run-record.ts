import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { systemCode } from '../../../schemas/errors.ts'
import type { DataFolder } from '../data-folder.ts'
import { SERVICE_NAMES } from '../services.ts'
import { identitySchema } from './process-identity.ts'

const recordSchema = z.object({
  supervisor: identitySchema,
  attached: z.boolean(),
  ready: z.boolean(),
  services: z.partialRecord(
    z.enum(SERVICE_NAMES),
    z.object({ port: z.number().int(), process: identitySchema.nullable(), program: z.string() }),
  ),
})

/** Which processes make up the stack of a data folder. Written by its supervisor alone. */
export type RunRecord = z.infer<typeof recordSchema>

/** Replaces a file in one step, so that no reader sees half of it. */
export async function writeWhole(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.${process.pid}.partial`
  await writeFile(partial, text, { mode })
  await rename(partial, path)
}

/** The text of a file, or undefined where there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

export async function readRecord(folder: DataFolder): Promise<RunRecord | undefined> {
  const text = await readIfPresent(folder.recordFile)
  if (text === undefined) return undefined
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    // Written in one step, so only a crash of the machine, or an older version, leaves what cannot be read.
    return undefined
  }
}

export async function writeRecord(folder: DataFolder, record: RunRecord): Promise<void> {
  await writeWhole(folder.recordFile, `${JSON.stringify(record, null, 2)}\n`)
}

export async function removeRecord(folder: DataFolder): Promise<void> {
  await rm(folder.recordFile, { force: true })
}
