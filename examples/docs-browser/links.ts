/**
 * Where a link in a document leads: to a page of the site, to the world, or nowhere.
 *
 * Invariant: the answer begins with `/page/`, `#`, `http:`, `https:` or `mailto:`, or is null.
 */

/** The address for `href` as written in the document `from`. `known` are the paths of all documents. */
export function resolveLink(href: string, from: string, known: ReadonlySet<string>): string | null {
  // Browsers drop these characters before they look for the scheme, so `java\nscript:` has to be read as they do.
  // oxlint-disable-next-line no-control-regex
  const address = href.replace(/[\u0000-\u0020\u007f-\u009f]+/g, (blank) => (/^ +$/.test(blank) ? ' ' : '')).trim();
  if (address.startsWith('#')) return fragmentOf(address);
  if (/^https?:\/\//i.test(address) || /^mailto:[^<>"]+$/i.test(address)) return address;
  if (/^\/\/[\w.-]+/.test(address)) return `https:${address}`;
  if (/^[a-z][a-z0-9+.-]*:/i.test(address) || address === '') return null;
  return pageOf(address, from, known);
}

function pageOf(address: string, from: string, known: ReadonlySet<string>): string | null {
  const [before = '', fragment] = address.split('#', 2);
  const [path = ''] = before.split('?', 1);
  const parts = path.startsWith('/') ? [] : from.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return null;
    } else if (part !== '' && part !== '.') parts.push(decoded(part));
  }
  const target = parts.join('/');
  const found = [target, `${target}.md`, `${target}/README.md`, `${target}/readme.md`].find((name) => known.has(name));
  return found === undefined ? null : pageAddress(found) + (fragment ? fragmentOf(`#${fragment}`) : '');
}

/** The address of the page of a document. */
export function pageAddress(path: string): string {
  return `/page/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Ids of documents carry a prefix (tasks/parse.ts), and so do the links to them. */
function fragmentOf(address: string): string {
  const name = decoded(address.slice(1));
  return name === '' ? '#' : `#doc-${encodeURIComponent(name)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
