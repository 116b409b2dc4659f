/** What is wrong with a template of the operator, with its line, and what to write instead. */
export class TemplateProblem extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}
