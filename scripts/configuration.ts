// configuration.ts: writes the table of options into docs/configuration.md. A test holds the two together.
import { readFileSync, writeFileSync } from 'node:fs';
import { withOptions } from './configuration-table.ts';

const page = 'docs/configuration.md';
writeFileSync(page, withOptions(readFileSync(page, 'utf8')));
