/** Modules of sandboxes from their text. */

/** Url of a module whose text this is. */
export const script = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;
