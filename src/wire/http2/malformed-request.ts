/** A request that RFC 9113 section 8.1.1 calls malformed: its stream is reset, since nobody can say what it asks for. */
import { HttpSyntaxError } from '../http-syntax-error.ts';

export class MalformedRequest extends HttpSyntaxError {
  constructor(rule: string) {
    super(rule);
    this.name = 'MalformedRequest';
  }
}
