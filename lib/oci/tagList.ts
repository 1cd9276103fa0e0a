// The tag list of a repository, page by page (distribution specification, "Listing Tags"; RFC 8288 Link headers).
import { repositoryScope } from "./challenge";
import { badAnswer } from "./failures";
import { isTag, type Repository } from "./reference";
import type { Session } from "./session";
import type { Answer } from "./transport";

/** Tags asked for in one page; registries give fewer where they like. */
const pageSize = 1000;

/** All tags in the registry's order, each once; none for a repository that does not exist. */
export async function listTags(session: Session, repository: Repository): Promise<string[]> {
  const { registry, path } = repository;
  const tags = new Set<string>();
  const seen = new Set<string>();
  let url: URL | undefined = session.address(registry, `${path}/tags/list?n=${pageSize}`);
  while (url !== undefined) {
    const page: URL = url;
    seen.add(page.href);
    const { answer, names } = await session.attempt(() => readPage(session, repository, page));
    for (const name of names) tags.add(name);
    url = nextPage(answer, page);
    if (url !== undefined && seen.has(url.href)) throw badAnswer(answer, "its pages lead in a circle");
    if (url !== undefined && seen.size >= session.limits.tagPages)
      throw badAnswer(answer, `more than ${session.limits.tagPages} pages of tags`);
  }
  return [...tags];
}

async function readPage(
  session: Session,
  { registry, path }: Repository,
  url: URL,
): Promise<{ answer: Answer; names: string[] }> {
  const answer = await session.exchange({
    method: "GET",
    registry,
    url,
    scopes: [repositoryScope(path, "pull")],
    expect: [200, 404],
  });
  if (answer.status === 404) {
    await answer.discard();
    return { answer, names: [] };
  }
  let tags: unknown;
  try {
    tags = JSON.parse((await answer.bytes(session.limits.tagPageBytes)).toString("utf8")).tags ?? [];
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw badAnswer(answer, "its tag list is not JSON");
    throw error;
  }
  if (!Array.isArray(tags)) throw badAnswer(answer, "its tag list is no list");
  const wrong = tags.findIndex((tag) => typeof tag !== "string" || !isTag(tag));
  if (wrong >= 0) throw badAnswer(answer, `${JSON.stringify(tags[wrong])} in its tag list is no tag`);
  return { answer, names: tags };
}

/** The address behind `rel="next"`, on the same registry only: the next page is asked for with the same credentials. */
function nextPage(answer: Answer, page: URL): URL | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(answer.headers.get("link") ?? "")?.[1];
  if (target === undefined || answer.status === 404) return undefined;
  if (!URL.canParse(target, page.href)) throw badAnswer(answer, "the link to its next page is no address");
  const next = new URL(target, page);
  if (next.host === page.host) next.protocol = page.protocol;
  if (next.origin !== page.origin) throw badAnswer(answer, `its next page is on another host, ${next.host}`);
  return next;
}
