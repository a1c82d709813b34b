/** Edits of the library's sources that are made while the measuring processes' bundle is (bundle.ts). */
export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** Stands in the file exactly once, or the edit is refused: edits keep step with the source. */
  readonly find: string;
  readonly replace: string;
}

/** The text of a file with the edits made; throws when one does not fit. */
export function applyEdits(file: string, text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const edit of edits) {
    if (edit.file !== file) continue;
    const parts = result.split(edit.find);
    if (parts.length !== 2) throw new Error(`'${edit.find}' stands ${parts.length - 1} times in src/${file}`);
    result = parts.join(edit.replace);
  }
  return result;
}
