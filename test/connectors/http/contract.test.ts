import { destinationContract } from '../../contract/destination-contract.ts'
import { httpSubject } from './http-subject.ts'

for (const comparesVersions of [false, true])
  for (const more of [{}, { etags: 'strong' }] as const)
    destinationContract(
      `HTTP${comparesVersions ? ' that compares versions' : ''}${more.etags ? ' with ETags' : ''}`,
      // An ignored delete sends nothing, so the other side cannot know its version.
      { policies: comparesVersions ? ['hard'] : ['hard', 'ignore'], comparesVersions },
      async (mapping) => {
        const { read, destination, close } = await httpSubject(
          { comparesVersions, ...more },
          { comparesVersions },
          mapping,
        )
        return { destination, read: async (key) => (await read(key)) ?? undefined, close }
      },
    )
