/** What is left of a type when none of its values is undefined. */
export type Present<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** The same object without the keys whose value is undefined: options tell absent from undefined. */
export function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
