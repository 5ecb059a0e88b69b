/**
 * The type that a JSON schema describes, for the subset that our schemas use: type (also a list of types), enum, const,
 * properties with required, additionalProperties as a schema, items, oneOf and anyOf.
 * A property with a `default` is always present, because validation fills it in.
 */
export type FromSchema<S> = S extends { const: infer Value }
  ? Value
  : S extends { enum: readonly (infer Value)[] }
    ? Value
    : S extends { oneOf: readonly (infer Option)[] }
      ? FromOption<Option>
      : S extends { anyOf: readonly (infer Option)[] }
        ? FromOption<Option>
        : S extends { type: infer Type }
          ? FromType<Type, S>
          : unknown

type FromOption<Option> = Option extends unknown ? FromSchema<Option> : never

type FromType<Type, S> = Type extends readonly (infer Each)[]
  ? FromEach<Each, S>
  : Type extends 'string'
    ? string
    : Type extends 'number' | 'integer'
      ? number
      : Type extends 'boolean'
        ? boolean
        : Type extends 'null'
          ? null
          : Type extends 'array'
            ? S extends { items: infer Items }
              ? FromSchema<Items>[]
              : unknown[]
            : Type extends 'object'
              ? FromObject<S>
              : never

type FromEach<Each, S> = Each extends unknown ? FromType<Each, S> : never

type FromObject<S> = S extends { properties: infer Properties }
  ? Flat<
      { [Key in PresentKeys<S, Properties>]: FromSchema<Properties[Key]> } & {
        [Key in Exclude<keyof Properties, PresentKeys<S, Properties>>]?: FromSchema<Properties[Key]>
      }
    >
  : S extends { additionalProperties: infer Each extends object }
    ? Record<string, FromSchema<Each>>
    : Record<string, unknown>

type PresentKeys<S, Properties> =
  | (S extends { required: readonly (infer Name)[] } ? Name & keyof Properties : never)
  | { [Key in keyof Properties]: Properties[Key] extends { default: unknown } ? Key : never }[keyof Properties]

type Flat<Type> = { [Key in keyof Type]: Type[Key] }
