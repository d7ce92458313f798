/** named gives texts the names of others, in their order. */
export const named = (others: object, texts: string[]): Record<string, string> => Object.fromEntries(Object.keys(others).map((key, i) => [key, texts[i]!]));
