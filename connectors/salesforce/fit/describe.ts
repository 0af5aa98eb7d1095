import { z } from 'zod'

/** What is read of an object's description ("sObject Describe"). */
const described = z.object({
  name: z.string(),
  createable: z.boolean(),
  updateable: z.boolean(),
  deletable: z.boolean(),
  fields: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      createable: z.boolean(),
      updateable: z.boolean(),
      nillable: z.boolean(),
      defaultedOnCreate: z.boolean(),
      externalId: z.boolean(),
      unique: z.boolean(),
      caseSensitive: z.boolean(),
      precision: z.number(),
      scale: z.number(),
      relationshipName: z.string().nullable(),
      referenceTo: z.array(z.string()),
    }),
  ),
})

export type DescribedObject = z.infer<typeof described>
export type DescribedField = DescribedObject['fields'][number]

/** @returns null for what is no description */
export function readDescription(body: Buffer): DescribedObject | null {
  try {
    return described.safeParse(JSON.parse(body.toString('utf8'))).data ?? null
  } catch {
    // Not JSON: something else stands between, and the caller says so.
    return null
  }
}
