/** `apiextensions.k8s.io/v1`: custom resources. Source: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/ */
import type { WebhookClientConfig } from './admissionregistration.ts';
import type { Condition, Identity, KubeObject } from './meta.ts';

/** The part of JSON Schema that a structural schema may use; what is refused in one is named so that it can be refused. */
export interface JSONSchemaProps {
  type?: string;
  format?: string;
  title?: string;
  description?: string;
  properties?: Record<string, JSONSchemaProps>;
  required?: readonly string[];
  items?: JSONSchemaProps | readonly JSONSchemaProps[];
  additionalProperties?: JSONSchemaProps | boolean;
  nullable?: boolean;
  default?: unknown;
  example?: unknown;
  externalDocs?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: readonly JSONSchemaProps[];
  anyOf?: readonly JSONSchemaProps[];
  oneOf?: readonly JSONSchemaProps[];
  not?: JSONSchemaProps;
  id?: string;
  $schema?: string;
  $ref?: string;
  patternProperties?: Record<string, JSONSchemaProps>;
  dependencies?: Record<string, unknown>;
  additionalItems?: unknown;
  definitions?: Record<string, JSONSchemaProps>;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** What is left of it once `structural-rules.ts` has accepted it: nested schemas of the same kind, types that are known. */
export interface StructuralSchema
  extends Omit<
    JSONSchemaProps,
    | 'type'
    | 'properties'
    | 'items'
    | 'additionalProperties'
    | 'allOf'
    | 'anyOf'
    | 'oneOf'
    | 'not'
    | 'x-kubernetes-list-type'
    | 'x-kubernetes-map-type'
    | Refused
  > {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema | boolean;
  allOf?: readonly StructuralSchema[];
  anyOf?: readonly StructuralSchema[];
  oneOf?: readonly StructuralSchema[];
  not?: StructuralSchema;
  'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
}

type Refused =
  | 'uniqueItems'
  | 'id'
  | '$schema'
  | '$ref'
  | 'patternProperties'
  | 'dependencies'
  | 'additionalItems'
  | 'definitions';

export interface ValidationRule {
  /** CEL over `self` and `oldSelf`. */
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

export interface CustomResourceDefinitionNames {
  plural: string;
  singular?: string;
  shortNames?: string[];
  kind: string;
  listKind?: string;
  categories?: string[];
}

export interface CustomResourceColumnDefinition {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

export interface CustomResourceSubresources {
  status?: object;
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
}

export interface CustomResourceDefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: JSONSchemaProps };
  subresources?: CustomResourceSubresources;
  additionalPrinterColumns?: CustomResourceColumnDefinition[];
  selectableFields?: { jsonPath: string }[];
}

export interface CustomResourceConversion {
  strategy: string;
  webhook?: {
    conversionReviewVersions?: string[];
    clientConfig?: WebhookClientConfig;
  };
}

export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    names: CustomResourceDefinitionNames;
    scope: string;
    versions: CustomResourceDefinitionVersion[];
    conversion?: CustomResourceConversion;
    preserveUnknownFields?: boolean;
  };
  status?: {
    conditions?: Condition[];
    acceptedNames?: CustomResourceDefinitionNames;
    storedVersions?: string[];
    observedGeneration?: number;
  };
}

export const CUSTOM_RESOURCE_DEFINITIONS: Identity<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
