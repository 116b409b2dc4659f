/** The process of a crowd: see crowd.ts, which tells it what to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { membersOf, toldOf } from './crowd.ts';
import type { Answer, Member, Order } from './crowd.ts';
import { createVisitor } from './visitor.ts';
import type { Visit, Visitor } from './visitor.ts';

interface Person {
  readonly member: Member;
  readonly visitor: Visitor;
}

let people: readonly Person[] = [];
let base = '';

async function enter({ member, visitor }: Person, path: string): Promise<Visit> {
  const atProvider = await visitor.open(base + path);
  if (!atProvider.url.includes('/authorize?')) return atProvider;
  // The twin's way of filling in its form.
  return visitor.open(`${atProvider.url}&as=${member.subject}`);
}

/** What is wrong; nothing else is told. An app that echoes nothing about people is fine with any 200. */
async function all(
  path: string,
  more: string,
  visit: (person: Person, index: number) => Promise<Visit>,
): Promise<readonly string[]> {
  const wrong = await Promise.all(
    people.map(async (person, index) => {
      const { member } = person;
      try {
        const { status, body, headers, url } = await visit(person, index);
        const isEcho = body.includes(' for ');
        if (status === 200 && (!isEcho || body === toldOf(member, path) + more)) return null;
        const text = /<title>([^<]*)/.exec(body)?.[1] ?? body.slice(0, 200);
        return `${member.name}: ${status} at ${url.slice(0, 120)}: ${headers.location ?? text}`;
      } catch (error) {
        return `${member.name}: ${(error as Error).message}`;
      }
    }),
  );
  return wrong.filter((line) => line !== null);
}

async function obey(order: Order): Promise<readonly string[]> {
  switch (order.kind) {
    case 'gather':
      base = order.url;
      people = membersOf(order.count, order.from).map((member) => ({
        member,
        visitor: createVisitor({ keepAlive: true }),
      }));
      return [];
    case 'enter':
      return all(order.path, order.more, async (person, index) => {
        await sleep(index * order.apartMs);
        return enter(person, order.path);
      });
    case 'come':
      return all(order.path, order.more, ({ visitor }) => visitor.send(base + order.path));
    case 'let-go':
      for (const { visitor } of people) visitor.close();
      return [];
    default:
      return people.map(({ visitor }) => visitor.cookieHeader(base));
  }
}

process.on('message', (order: Order) => {
  void obey(order).then((lines) => process.send?.({ id: order.id, lines } satisfies Answer));
});
