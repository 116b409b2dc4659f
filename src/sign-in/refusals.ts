/** Pages for what is not accepted: a form that is not ours, a ticket that is none. */
import { answerPage, type Context } from './context.ts';
import { html } from './pages/html.ts';

export function refuseTicket(context: Context): Response {
  return refuse(context, 400, context.texts.badTicket);
}

export function refuseForm(context: Context): Response {
  return refuse(context, 403, context.texts.refusedForm);
}

function refuse(context: Context, status: number, words: { readonly title: string; readonly text: string }): Response {
  const main = html`<h1>${words.title}</h1>
    <p class="soft">${words.text}</p>
    <a class="button quiet" href="/">${context.texts.goHome}</a>`;
  return answerPage(context, status, { title: words.title, main });
}
