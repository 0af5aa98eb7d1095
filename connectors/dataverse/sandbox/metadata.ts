import type { SandboxTable } from './tables.ts'

/** A table's definition, as `EntityDefinitions` with its columns, keys and relationships expanded. */
export function definitionOf(table: SandboxTable, tables: ReadonlyMap<string, { readonly table: SandboxTable }>) {
  return {
    LogicalName: table.logicalName,
    EntitySetName: table.entitySet,
    PrimaryIdAttribute: table.primaryId,
    IsOptimisticConcurrencyEnabled: table.optimisticConcurrency,
    Attributes: Object.entries(table.columns).map(([name, { type, readOnly }]) => ({
      LogicalName: name,
      AttributeType: type,
      IsValidForCreate: !readOnly || name === table.primaryId,
      IsValidForUpdate: !readOnly,
    })),
    Keys: table.keys.map(({ columns, state }) => ({ KeyAttributes: columns, EntityKeyIndexStatus: state })),
    ManyToOneRelationships: Object.entries(table.lookups).map(([navigation, { column, entitySet }]) => ({
      ReferencingAttribute: column,
      ReferencingEntityNavigationPropertyName: navigation,
      ReferencedEntity: tables.get(entitySet)?.table.logicalName,
    })),
  }
}
