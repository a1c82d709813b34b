/** The projects that need nothing installed; all of them are run by `npm run test:packaging`. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Matrix, projects } from './matrix.ts';

const matrix = new Matrix();
after(() => matrix.remove());

for (const project of projects().filter(({ isQuick }) => isQuick)) {
  test(`a project runs: ${project.about}`, () => {
    const { isOk, output } = matrix.run(project);
    assert.ok(isOk, output);
  });
}
