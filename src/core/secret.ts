/** What stands wherever a secret was. */
export const hidden = '[hidden]';

/**
 * A value that must not be shown. Whatever turns it into text by accident (a template literal, JSON, console output)
 * gets `[hidden]`; only {@link Secret.reveal} gives the value. Wrap secrets where they enter and register them with the
 * redactor.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself: for what must contain it, such as a file of an agent or a request's header. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  /** What `util.inspect`, and so an error's stack or a debugger's print, shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return hidden;
  }
}
