/**
 * A unified diff of one file with three lines of context. `undefined` stands for a file that is not there. The only file
 * that uses diff, which is loaded when there is something to show.
 */
export async function unifiedDiff(
  path: string,
  before: string | undefined,
  after: string | undefined,
): Promise<string> {
  const { createTwoFilesPatch } = await import('diff');
  const patch = createTwoFilesPatch(
    before === undefined ? '/dev/null' : path,
    after === undefined ? '/dev/null' : path,
    before ?? '',
    after ?? '',
    undefined,
    undefined,
    { context: 3 },
  );
  // Before it come a title and a separator of the library's own.
  return patch.slice(patch.indexOf('--- '));
}
