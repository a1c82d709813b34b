/** A result such as a search gives: ten records of a few short fields. */
export interface SearchRecord {
  readonly id: number;
  readonly title: string;
  readonly path: string;
  readonly score: number;
  readonly fresh: boolean;
}

export function tenRecords(): SearchRecord[] {
  return Array.from({ length: 10 }, (_, index) => ({
    id: index,
    title: `Title of the result ${index}`,
    path: `guide/chapter-${index}/page.html`,
    score: 0.5 + index / 100,
    fresh: index % 2 === 0,
  }));
}
