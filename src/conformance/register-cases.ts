import type { RegisterTest } from "./storage-under-test.js";

interface Disposable {
  dispose(): Promise<void>;
}

interface Case<Subject> {
  readonly name: string;
  readonly body: (subject: Subject) => Promise<void>;
}

/** Registers a test per case, each with a subject of its own that is disposed of whatever happens. */
export function registerCases<Subject extends Disposable>(
  test: RegisterTest,
  factory: () => Promise<Subject>,
  cases: readonly Case<Subject>[],
): void {
  for (const { name, body } of cases) {
    test(name, async () => {
      const subject = await factory();
      try {
        await body(subject);
      } finally {
        await subject.dispose();
      }
    });
  }
}
